import { may, never, type RuleEntries } from "./rule.js";

/** What must hold of services, and of names in options. */
export const services = {
  OPTION_NAME_UNKNOWN: {
    holds: "A name in an option stands for something in the contract.",
    why: "entities and calls name messages and services by text, which no compiler checks. A name that stands for nothing is most often misspelled, or lacks its package. So are names of services in package.json.",
    language: "proto",
    bad: `service OrderService {
  option (scaffold.v1.service) = {entities: "Oder"};
}`,
    good: `service OrderService {
  option (scaffold.v1.service) = {entities: "Order"};
}

message Order {
  option (scaffold.v1.entity) = {};
  string id = 1 [(google.api.field_behavior) = IDENTIFIER];
}`,
    ignoring: never("there is nothing to generate for a name that stands for nothing."),
  },
  SERVICE_NAME_TAKEN: {
    holds:
      "Each service that the system runs or calls has a short name of its own: its package's last word, or what package.json says.",
    why: 'The short name is the service\'s folder, process, database and address variable (ORDERS_URL), so two services cannot share one. A second version of a package has its version in it: orders-v2. Where names meet otherwise, the project gives others, in package.json: "scaffold": {"names": {"shop.orders.v1.RefundService": "refunds"}}. balancer, broker, cache, database, dist, gateway, gateway-1, gateway-2, postgres and sample are the system\'s own.',
    language: "proto",
    bad: `service OrderService {
  option (scaffold.v1.service) = {};
}

service RefundService {
  option (scaffold.v1.service) = {};
}`,
    good: `// RefundService moves to a package of its own: shop.refunds.v1.
service OrderService {
  option (scaffold.v1.service) = {};
}`,
    ignoring: never("two processes cannot have one name."),
  },
  SERVICE_CALLS_ITSELF: {
    holds: "A service calls others; its own handlers it calls as functions.",
    why: "A call to itself goes over the network to any instance, holds two of the caller's slots at once, and can wait for itself for ever.",
    language: "proto",
    bad: `service OrderService {
  option (scaffold.v1.service) = {calls: "OrderService"};
}`,
    good: `service OrderService {
  option (scaffold.v1.service) = {};
}`,
    ignoring: may("the name is left out of what the service calls."),
  },
  SERVICE_RESOURCE_TAKEN: {
    holds: "What a handler may use (entities, called services) has one name each.",
    why: "A handler reaches its entities, the services it calls, transaction, once, undo and sagas as service.<name>; one name cannot be two things.",
    language: "proto",
    bad: `service OrderService {
  option (scaffold.v1.service) = {entities: "Order" entities: "Archive.Order"};
}

message Order {
  option (scaffold.v1.entity) = {};
  string id = 1 [(google.api.field_behavior) = IDENTIFIER];
}

message Archive {
  message Order {
    option (scaffold.v1.entity) = {table: "archived_orders"};
    string id = 1 [(google.api.field_behavior) = IDENTIFIER];
  }
}`,
    good: `service OrderService {
  option (scaffold.v1.service) = {entities: "Order" entities: "ArchivedOrder"};
}

message Order {
  option (scaffold.v1.entity) = {};
  string id = 1 [(google.api.field_behavior) = IDENTIFIER];
}

message ArchivedOrder {
  option (scaffold.v1.entity) = {};
  string id = 1 [(google.api.field_behavior) = IDENTIFIER];
}`,
    ignoring: never("the handlers' type would have one property twice."),
  },
} as const satisfies RuleEntries;
