import { entities } from "./entities.js";
import { events } from "./events.js";
import { evolution } from "./evolution.js";
import { files } from "./files.js";
import { ignores } from "./ignores.js";
import { methods } from "./methods.js";
import { migrations } from "./migrations.js";
import { names } from "./names.js";
import type { RuleEntries, RuleEntry } from "./rule.js";
import { runningSagas } from "./running-sagas.js";
import { sagas } from "./sagas.js";
import { services } from "./services.js";

/** The tool's rules by subject. Their ids are stable. buf has rules of its own. */
export const subjects = [
  { title: "Services", rules: services },
  { title: "Entities", rules: entities },
  { title: "Methods", rules: methods },
  { title: "Events", rules: events },
  { title: "Versions of events", rules: evolution },
  { title: "Sagas", rules: sagas },
  { title: "Sagas that run", rules: runningSagas },
  { title: "Names", rules: names },
  { title: "Migrations", rules: migrations },
  { title: "Files", rules: files },
  { title: "Ignoring", rules: ignores },
] as const satisfies readonly { title: string; rules: RuleEntries }[];

const all = {
  ...services,
  ...entities,
  ...methods,
  ...events,
  ...evolution,
  ...sagas,
  ...runningSagas,
  ...names,
  ...migrations,
  ...files,
  ...ignores,
};

/** The tool's rules by id. */
export const catalogue: RuleEntries = all;

/** The id of a rule of the tool. */
export type Rule = keyof typeof all;

/** Returns the rule of an id, or undefined if it is not one of the tool's. */
export function findRule(id: string): RuleEntry | undefined {
  return Object.hasOwn(catalogue, id) ? catalogue[id] : undefined;
}
