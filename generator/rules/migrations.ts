import { never, type RuleEntries } from "./rule.js";

/** What must hold of migrations. */
export const migrations = {
  MIGRATION_FOLDER: {
    holds: "A service's migrations have one order, and each that the tool wrote has its snapshot.",
    why: "Every database must get the same migrations in the same order, and the next one is made by comparing the contract with the newest snapshot.",
    language: "sh",
    bad: `# Two branches wrote the second migration, and were merged:
services/orders/migrations/0001_create_orders.{sql,json}
services/orders/migrations/0002_add_orders_note.{sql,json}
services/orders/migrations/0002_add_orders_status.{sql,json}`,
    good: `# The one that no database has yet was deleted, and scaffold generate wrote it anew:
services/orders/migrations/0001_create_orders.{sql,json}
services/orders/migrations/0002_add_orders_note.{sql,json}
services/orders/migrations/0003_add_orders_status.{sql,json}`,
    ignoring: never("databases would end up with different tables."),
  },
  MIGRATION_REFUSED: {
    holds: "A change that no tool can make safely is migrated by hand.",
    why: "A column of another type, another key, two columns that change names with each other: what that means for the rows, and for processes of the version before, which run beside the new ones while a release goes out, only a person knows. The finding prints the steps that work; or the next SQL file in the folder, which a person writes, is taken at its word.",
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
    holds: "What is stored is not thrown away unasked.",
    why: "A dropped column or table takes its data along, and processes of the version before still read it. Once nothing does, scaffold generate --allow MIGRATION_LOSES_DATA plans it; look at it first with scaffold migrate plan --allow MIGRATION_LOSES_DATA.",
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
    holds: "A process of the version before works on after the migration.",
    why: "While a release goes out, both versions use one database. The one before fails on a NULL that it does not expect, on a type that it does not know, and on a rule of a field that it does not set. If nothing of it runs, scaffold generate --allow MIGRATION_BREAKS_OLD plans the change.",
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
    holds: "A field's number stands for one field, for ever.",
    why: "Messages that are stored, cached or under way know a field by its number alone: another field with that number would read what was never meant for it. The snapshots beside the migrations remember the numbers of fields that are gone.",
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
    ignoring: never("no migration can mend what is under way already."),
  },
} as const satisfies RuleEntries;
