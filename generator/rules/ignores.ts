import { never, type RuleEntries } from "./rule.js";

/** What must hold of comments that have a rule ignored. */
export const ignores = {
  IGNORE_REASON: {
    holds: "A comment that has a rule ignored says why.",
    why: "Whoever reads it next must be able to tell whether the reason still holds.",
    language: "proto",
    bad: `service OrderService {
  // scaffold:ignore SERVICE_CALLS_ITSELF
  option (scaffold.v1.service) = {calls: "OrderService"};
}`,
    good: `service OrderService {
  // scaffold:ignore SERVICE_CALLS_ITSELF until the handlers share a function
  option (scaffold.v1.service) = {calls: "OrderService"};
}`,
    ignoring: never("it is about ignoring itself."),
  },
  IGNORE_RULE: {
    holds: "A comment that has a rule ignored names one of ours that can be ignored.",
    why: "A rule without which code cannot be generated stays. buf's rules have a comment of their own, buf:lint:ignore, which buf.yaml allows.",
    language: "proto",
    bad: `service OrderService {
  // scaffold:ignore SERVICE_CALL_ITSELF until the handlers share a function
  option (scaffold.v1.service) = {};
}`,
    good: `service OrderService {
  option (scaffold.v1.service) = {};
}`,
    ignoring: never("it is about ignoring itself."),
  },
  IGNORE_UNUSED: {
    holds: "A comment that has a rule ignored has something to ignore.",
    why: "One that is left over hides the next real finding at that place. It stands on the line above what it is about, or at the end of its line.",
    language: "proto",
    bad: `service OrderService {
  // scaffold:ignore SERVICE_CALLS_ITSELF until the handlers share a function
  option (scaffold.v1.service) = {};
}`,
    good: `service OrderService {
  option (scaffold.v1.service) = {};
}`,
    ignoring: never("remove the comment."),
  },
} as const satisfies RuleEntries;
