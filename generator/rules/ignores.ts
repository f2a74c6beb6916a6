import { never, type RuleEntries } from "./rule.js";

/** Rules about comments that suppress a rule. */
export const ignores = {
  IGNORE_REASON: {
    holds: "A comment that ignores a rule says why.",
    why: "The next reader must be able to tell whether the reason still holds.",
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
    holds: "A comment that ignores a rule names one of the tool's rules that can be ignored.",
    why: "A rule without which code cannot be generated cannot be ignored. buf's rules have a comment of their own, buf:lint:ignore, which buf.yaml allows.",
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
    holds: "A comment that ignores a rule has a finding to ignore.",
    why: "A comment that is left over hides the next real finding at that place. The comment stands on the line above, or at the end of the line.",
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
