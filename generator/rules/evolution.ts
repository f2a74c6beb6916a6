import { never, type RuleEntries } from "./rule.js";

/** Rules about versions of events. */
export const evolution = {
  EVENT_CORPUS: {
    holds: "Every recorded version of an event is kept unchanged.",
    why: "Events outlive the contract that they were published by: in topics, in dead letters, in the outbox that replays come from. Each version of an event is recorded beside its publisher, with samples of its bytes, and every consumer is tested against them. A changed or deleted record makes that test worthless.",
    language: "sh",
    bad: `# The samples that a test failed with were deleted:
git rm services/orders/events/shop.orders.order-placed/1.0.json`,
    good: `# A version that nothing was ever published by is let go:
npx scaffold generate --force services/orders/events/shop.orders.order-placed/1.1.json`,
    ignoring: never("unreadable old events would go unnoticed."),
  },
  EVENT_CHANGED: {
    holds: "After a change of an event, old events are read as they are, or by an upcaster.",
    why: "Old and new consumers both read an event to which a field was added, of which a field was renamed, or from which one was removed. A field of another type, or one that goes while another comes, may express the same in another way, and only a person knows how. scaffold generate starts a function for it beside the event's versions. Its type says what it must return, and consumers do not compile without it. scaffold breaking reports an error until the function has a body.",
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
    ignoring: never(
      "the finding appears once, when the event is changed, and a comment does not replace the upcaster.",
    ),
  },
} as const satisfies RuleEntries;
