import { never, type RuleEntries } from "./rule.js";

/** Rules about migrations. */
export const migrations = {
  MIGRATION_FOLDER: {
    holds: "A service's migrations have one order, and each one that the tool wrote has its snapshot.",
    why: "Every database must get the same migrations in the same order. The next one is made by comparing the contract with the newest snapshot.",
    language: "sh",
    bad: `# Two branches wrote the second migration, and were merged:
services/orders/migrations/0001_create_orders.{sql,json}
services/orders/migrations/0002_add_orders_note.{sql,json}
services/orders/migrations/0002_add_orders_status.{sql,json}`,
    good: `# The one that no database has yet was deleted, and scaffold generate wrote it again:
services/orders/migrations/0001_create_orders.{sql,json}
services/orders/migrations/0002_add_orders_note.{sql,json}
services/orders/migrations/0003_add_orders_status.{sql,json}`,
    ignoring: never("databases would end up with different tables."),
  },
  MIGRATION_REFUSED: {
    holds: "A change that cannot be made safely is migrated by hand.",
    why: "A column of another type, another key, two columns that exchange names: only a person knows what that means for the rows, and for processes of the version before, which run beside the new ones during a release. The finding prints steps that work. Or write the next SQL file in the folder yourself; the tool takes it as the change.",
    language: "diff",
    bad: ` message Order {
   string id = 1 [(google.api.field_behavior) = IDENTIFIER];
-  int32 total = 2;
+  string total = 2;
 }`,
    good: ` message Order {
   string id = 1 [(google.api.field_behavior) = IDENTIFIER];
-  int32 total = 2;
+  int32 total = 2 [deprecated = true];
+  string amount = 3;
 }`,
    ignoring: never("the tables would not be what the code expects: write the migration instead."),
  },
  MIGRATION_LOSES_DATA: {
    holds: "Stored data is not deleted unless that is allowed.",
    why: "A dropped column or table loses its data, and processes of the version before still read it. Once no process does, scaffold generate --allow MIGRATION_LOSES_DATA plans it. scaffold migrate plan --allow MIGRATION_LOSES_DATA shows it first.",
    language: "diff",
    bad: ` message Order {
   string id = 1 [(google.api.field_behavior) = IDENTIFIER];
-  string note = 2;
 }`,
    good: ` message Order {
   string id = 1 [(google.api.field_behavior) = IDENTIFIER];
-  string note = 2;
+  string note = 2 [deprecated = true];
 }`,
    ignoring: never("the tables would not be what the code expects: allow it for one run instead."),
  },
  MIGRATION_BREAKS_OLD: {
    holds: "A process of the version before works after the migration.",
    why: "During a release, both versions use one database. The version before fails on an unexpected NULL, on a type that it does not know, and on a rule of a field that it does not set. If no process of it runs, scaffold generate --allow MIGRATION_BREAKS_OLD plans the change.",
    language: "diff",
    bad: ` message Order {
   string id = 1 [(google.api.field_behavior) = IDENTIFIER];
-  int32 total = 2;
+  int64 total = 2;
 }`,
    good: ` message Order {
   string id = 1 [(google.api.field_behavior) = IDENTIFIER];
-  int32 total = 2;
+  int32 total = 2 [deprecated = true];
+  int64 total_cents = 3;
 }`,
    ignoring: never("the tables would not be what the code expects: allow it for one run instead."),
  },
  MIGRATION_NUMBER_REUSED: {
    holds: "A field's number is never used for another field.",
    why: "Messages that are stored, cached or in flight identify a field by its number alone: another field with that number would read what was not meant for it. The snapshots beside the migrations have the numbers of removed fields.",
    language: "diff",
    bad: ` message Order {
   string id = 1 [(google.api.field_behavior) = IDENTIFIER];
-  int32 total = 2;
+  string note = 2;
 }`,
    good: ` message Order {
   string id = 1 [(google.api.field_behavior) = IDENTIFIER];
-  int32 total = 2;
+  reserved 2;
+  string note = 3;
 }`,
    ignoring: never("no migration can correct messages that are in flight."),
  },
} as const satisfies RuleEntries;
