import { may, never, type RuleEntries } from "./rule.js";

/** Rules about entities: messages whose rows are stored in tables. */
export const entities = {
  ENTITY_UNDECLARED: {
    holds: "A message that a service owns is marked as an entity.",
    why: "The option on the message says that it has a table, and how the table looks. A reader of the message should not have to search the services for that.",
    language: "proto",
    bad: `service OrderService {
  option (scaffold.v1.service) = {entities: "Order"};
}

message Order {
  string id = 1 [(google.api.field_behavior) = IDENTIFIER];
}`,
    good: `service OrderService {
  option (scaffold.v1.service) = {entities: "Order"};
}

message Order {
  option (scaffold.v1.entity) = {};
  string id = 1 [(google.api.field_behavior) = IDENTIFIER];
}`,
    ignoring: never("a message that is not an entity has no table."),
  },
  ENTITY_OWNER: {
    holds: "An entity is owned by one service at most.",
    why: "Its rows are in its owner's database, which no other service reads or writes. Other services call the owner.",
    language: "proto",
    bad: `service OrderService {
  option (scaffold.v1.service) = {entities: "Order"};
}

service ReportService {
  option (scaffold.v1.service) = {entities: "Order"};
}

message Order {
  option (scaffold.v1.entity) = {};
  string id = 1 [(google.api.field_behavior) = IDENTIFIER];
}`,
    good: `service OrderService {
  option (scaffold.v1.service) = {entities: "Order"};
}

message Order {
  option (scaffold.v1.entity) = {};
  string id = 1 [(google.api.field_behavior) = IDENTIFIER];
}`,
    ignoring: never("one table cannot be in two databases."),
  },
  ENTITY_UNOWNED: {
    holds: "An entity is owned by a service.",
    why: "Without an owner there is no database for its table.",
    language: "proto",
    bad: `message Order {
  option (scaffold.v1.entity) = {};
  string id = 1 [(google.api.field_behavior) = IDENTIFIER];
}`,
    good: `service OrderService {
  option (scaffold.v1.service) = {entities: "Order"};
}

message Order {
  option (scaffold.v1.entity) = {};
  string id = 1 [(google.api.field_behavior) = IDENTIFIER];
}`,
    ignoring: may("it is an ordinary message without a table."),
  },
  ENTITY_TABLE_TAKEN: {
    holds: "Each entity of a service has a table of its own.",
    why: "Two entities in one table would read each other's rows. A table's name is one that PostgreSQL accepts without quotes, at most 63 bytes long. It is not one of the runtime's names, which begin with scaffold_, not one of PostgreSQL's, which begin with pg_, and not the name of another entity's primary key: orders_pkey.",
    language: "proto",
    bad: `service OrderService {
  option (scaffold.v1.service) = {entities: "Order" entities: "Draft"};
}

message Order {
  option (scaffold.v1.entity) = {};
  string id = 1 [(google.api.field_behavior) = IDENTIFIER];
}

message Draft {
  option (scaffold.v1.entity) = {table: "orders"};
  string id = 1 [(google.api.field_behavior) = IDENTIFIER];
}`,
    good: `service OrderService {
  option (scaffold.v1.service) = {entities: "Order" entities: "Draft"};
}

message Order {
  option (scaffold.v1.entity) = {};
  string id = 1 [(google.api.field_behavior) = IDENTIFIER];
}

message Draft {
  option (scaffold.v1.entity) = {table: "drafts"};
  string id = 1 [(google.api.field_behavior) = IDENTIFIER];
}`,
    ignoring: never("the table could not be created."),
  },
  ENTITY_KEY: {
    holds: "An entity has exactly one key: a string field with field_behavior IDENTIFIER.",
    why: "The key finds the row, the cached row and the resource's URL. The service can set a string (ordered by time), or the caller can. Several fields that are unique together are a unique index.",
    language: "proto",
    bad: `service OrderService {
  option (scaffold.v1.service) = {entities: "Order"};
}

message Order {
  option (scaffold.v1.entity) = {};
  int64 number = 1 [(google.api.field_behavior) = IDENTIFIER];
}`,
    good: `service OrderService {
  option (scaffold.v1.service) = {entities: "Order"};
}

message Order {
  option (scaffold.v1.entity) = {index: {fields: "number" unique: true}};
  string id = 1 [(google.api.field_behavior) = IDENTIFIER];
  int64 number = 2;
}`,
    ignoring: never("a row without a key cannot be found again."),
  },
  ENTITY_FIELD: {
    holds: "Every field of an entity fits into a column.",
    why: "Every value that is written must be read again. A group, a number that is a string in TypeScript, and an Any, whose messages are not known beforehand, have no column that fits. A column needs a name of its own within the 63 bytes that PostgreSQL keeps, and not one that every table has: tableoid, xmin, cmin, xmax, cmax, ctid. A table has at most 1600 columns.",
    language: "proto",
    bad: `service OrderService {
  option (scaffold.v1.service) = {entities: "Order"};
}

message Order {
  option (scaffold.v1.entity) = {};
  string id = 1 [(google.api.field_behavior) = IDENTIFIER];
  int64 total_cents = 2 [jstype = JS_STRING];
}`,
    good: `service OrderService {
  option (scaffold.v1.service) = {entities: "Order"};
}

message Order {
  option (scaffold.v1.entity) = {};
  string id = 1 [(google.api.field_behavior) = IDENTIFIER];
  int64 total_cents = 2;
}`,
    ignoring: never("the field's value would be lost silently."),
  },
  ENTITY_INDEX: {
    holds: "An index covers fields that PostgreSQL can compare.",
    why: "An index orders values of fields of the entity. Lists, maps and messages are stored as JSON, which has no order. The index's name is made of the table's and the columns' names, of which PostgreSQL keeps 63 bytes, and must not be the name of another index or table of the service. An index covers at most 32 columns.",
    language: "proto",
    bad: `service OrderService {
  option (scaffold.v1.service) = {entities: "Order"};
}

message Order {
  option (scaffold.v1.entity) = {index: {fields: "tags"}};
  string id = 1 [(google.api.field_behavior) = IDENTIFIER];
  repeated string tags = 2;
}`,
    good: `service OrderService {
  option (scaffold.v1.service) = {entities: "Order"};
}

message Order {
  option (scaffold.v1.entity) = {index: {fields: "customer_id"}};
  string id = 1 [(google.api.field_behavior) = IDENTIFIER];
  string customer_id = 2;
}`,
    ignoring: may("the index is left out."),
  },
  ENTITY_CACHE: {
    holds: "A cache has a time to live.",
    why: "Without ttl_s a cached row is never fresh, so the cache would have no effect.",
    language: "proto",
    bad: `service OrderService {
  option (scaffold.v1.service) = {entities: "Order"};
}

message Order {
  option (scaffold.v1.entity) = {cache: {stale_if_error_s: 3600}};
  string id = 1 [(google.api.field_behavior) = IDENTIFIER];
}`,
    good: `service OrderService {
  option (scaffold.v1.service) = {entities: "Order"};
}

message Order {
  option (scaffold.v1.entity) = {cache: {ttl_s: 30 stale_if_error_s: 3600}};
  string id = 1 [(google.api.field_behavior) = IDENTIFIER];
}`,
    ignoring: may("the entity has no cache."),
  },
} as const satisfies RuleEntries;
