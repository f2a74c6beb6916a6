import { may, never, type RuleEntries } from "./rule.js";

/** Rules about services, and about names in options. */
export const services = {
  OPTION_NAME_UNKNOWN: {
    holds: "A name in an option resolves to a declaration.",
    why: "`entities`, `calls` and similar options name messages and services as text, which no compiler checks. A name that does not resolve is most often misspelled, or lacks its package. The same holds for names of services in package.json.",
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
    ignoring: never("code cannot be generated for an unknown name."),
  },
  SERVICE_NAME_TAKEN: {
    holds:
      "Each service that the system runs or calls has a short name of its own: the last word of its package, or what package.json sets.",
    why: 'The short name is the service\'s folder, process, database and address variable (ORDERS_URL), so two services cannot share one. A second version of a package has its version in it: orders-v2. Where names collide otherwise, set another one in package.json: "scaffold": {"names": {"shop.orders.v1.RefundService": "refunds"}}. balancer, broker, cache, database, dist, gateway, gateway-1, gateway-2, postgres and sample are the system\'s own.',
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
    holds: "A service does not call itself.",
    why: "A call to itself goes over the network to any instance, occupies two of the caller's slots, and can wait for itself forever. Call the handler as a function.",
    language: "proto",
    bad: `service OrderService {
  option (scaffold.v1.service) = {calls: "OrderService"};
}`,
    good: `service OrderService {
  option (scaffold.v1.service) = {};
}`,
    ignoring: may("the name is left out of the service's calls."),
  },
  SERVICE_RESOURCE_TAKEN: {
    holds: "What a handler may use (entities, called services) has distinct names.",
    why: "A handler reaches its entities, the services that it calls, transaction, once, undo and sagas as service.<name>, so no two of them can share a name.",
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
