import { may, never, type RuleEntries } from "./rule.js";

/** What must hold of entities: messages whose rows are kept in tables. */
export const entities = {
  ENTITY_UNDECLARED: {
    holds: "What a service owns is marked as an entity.",
    why: "The option on the message says that it is a table and how; a reader of the message must not have to search services to learn that.",
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
    ignoring: never("a message that is no entity has no table."),
  },
  ENTITY_OWNER: {
    holds: "An entity is owned by at most one service.",
    why: "Its rows are in its owner's database, which nobody else reads or writes. What another service wants of them, it asks the owner.",
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
    holds: "An entity is owned by some service.",
    why: "Without an owner there is no database for its table: it would be declared, and never kept.",
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
    ignoring: may("it is a message like any other, without a table."),
  },
  ENTITY_TABLE_TAKEN: {
    holds: "Each entity of a service has a table of its own.",
    why: "Two entities in one table would read each other's rows. A table's name is one that PostgreSQL takes without quotes, at most 63 bytes long; it is not one of the runtime's own, which begin with scaffold_, nor of PostgreSQL's, which begin with pg_, nor the name of another entity's primary key: orders_pkey.",
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
    why: "The key finds the row, the cached row and the resource's URL. A string can be given by the service (ordered by time) or by the caller; several fields that are unique together are a unique index.",
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
    holds: "Every field of an entity can be kept in a column.",
    why: "What is written must be read again, all of it. A group, a number that is a string in TypeScript, and an Any, whose messages nobody knows beforehand, have no column that fits. A column needs a name of its own in the 63 bytes that PostgreSQL keeps, and not one that every table has: tableoid, xmin, cmin, xmax, cmax, ctid. A table has at most 1600 columns.",
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
    ignoring: never("the field's value would be lost without a word."),
  },
  ENTITY_INDEX: {
    holds: "An index covers fields that a database can compare.",
    why: "An index is by the values of fields of the entity, in an order. Lists, maps and messages are kept as JSON, which has none. Its name is made of the table's and the columns', of which PostgreSQL keeps 63 bytes, and must not be another index's or a table's of the same service. It covers at most 32 columns.",
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
    why: "Without ttl_s a cached row is never fresh, so the option would promise a cache that does nothing.",
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
