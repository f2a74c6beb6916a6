import { type Allowable, allowable } from "../migrate/changes.js";

export type { Allowable };

/** The option --allow of commands that plan migrations. */
export const allowOption = {
  choices: allowable,
  array: true,
  nargs: 1,
  default: [] as Allowable[],
  describe: "Plan migrations that break this rule: see scaffold explain <rule>",
} as const;
