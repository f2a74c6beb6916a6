import type { Diagnostic } from "../contract/findings/diagnostic.js";
import { bufLint } from "../image/buf.js";
import { byCodeUnit } from "../output/text.js";
import type { Settings } from "../project/settings.js";
import { inspect } from "./inspect.js";

/** Everything that buf's rules and ours find in the contract, in the order of the files. */
export async function lint(settings: Settings): Promise<Diagnostic[]> {
  const ofBuf = await bufLint(settings);
  // What does not compile cannot be looked into any further.
  if (ofBuf.some(({ rule }) => rule === "COMPILE")) return [...ofBuf];
  return [...ofBuf, ...(await inspect(settings))].sort(
    (a, b) => byCodeUnit(a.file, b.file) || a.line - b.line || a.column - b.column || byCodeUnit(a.rule, b.rule),
  );
}
