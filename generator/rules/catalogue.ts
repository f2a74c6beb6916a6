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

/** Every rule of ours by subject; the ids are stable. buf's rules come beside them, from buf. */
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

/** Every rule of ours by its id. */
export const catalogue: RuleEntries = all;

/** The id of a rule of ours. */
export type Rule = keyof typeof all;

/** The rule of that id; undefined if it is none of ours. */
export function findRule(id: string): RuleEntry | undefined {
  return Object.hasOwn(catalogue, id) ? catalogue[id] : undefined;
}
