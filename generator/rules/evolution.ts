import { never, type RuleEntries } from "./rule.js";

/** What must hold of the versions that events had. */
export const evolution = {
  EVENT_CORPUS: {
    holds: "Every version that an event had is kept as it was recorded.",
    why: "Events outlive the contract that they were published by: in topics, in dead letters, in the outbox that replays come from. Beside its publisher lies what each version of an event looked like, with samples of its bytes, and every consumer is tested against them. Who changes or deletes that makes the test say nothing.",
    language: "sh",
    bad: `# The samples that a test failed with were deleted:
git rm services/orders/events/shop.orders.order-placed/1.0.json`,
    good: `# A version that nothing was ever published by is let go:
npx scaffold generate --force services/orders/events/shop.orders.order-placed/1.1.json`,
    ignoring: never("nobody would notice that old events can no longer be read."),
  },
  EVENT_CHANGED: {
    holds: "An event is changed so that old ones are read as they are, or somebody says what they mean.",
    why: "A field that is added, renamed, or taken out is read by old and new consumers alike. A field of another type, or one that goes while another comes, may say the same in other words: what an old event says in the new ones only a person knows. scaffold generate starts a function for that beside the event's versions; what it must fill is in its type, and consumers do not compile without it. scaffold breaking has it for an error until the function has begun.",
    language: "diff",
    bad: ` message OrderPlaced {
   option (scaffold.v1.event) = {key: "order_id"};
   string order_id = 1;
-  int32 total = 2;
+  string total = 2;
 }`,
    good: ` message OrderPlaced {
   option (scaffold.v1.event) = {key: "order_id"};
   string order_id = 1;
   int32 total = 2;
+  string total_text = 3;
 }`,
    ignoring: never("it is said once, when the change is made; what is needed then no comment replaces."),
  },
} as const satisfies RuleEntries;
