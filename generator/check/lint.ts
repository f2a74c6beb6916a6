import type { Diagnostic } from "../contract/findings/diagnostic.js";
import { bufLint } from "../image/buf.js";
import { byCodeUnit } from "../output/text.js";
import type { Settings } from "../project/settings.js";
import { inspect } from "./inspect.js";

/** Returns the findings of buf's rules and of the tool's, in the order of the files. */
export async function lint(settings: Settings): Promise<Diagnostic[]> {
  const ofBuf = await bufLint(settings);
  // The tool's rules need a contract that compiles.
  if (ofBuf.some(({ rule }) => rule === "COMPILE")) return [...ofBuf];
  return [...ofBuf, ...(await inspect(settings))].sort(
    (a, b) => byCodeUnit(a.file, b.file) || a.line - b.line || a.column - b.column || byCodeUnit(a.rule, b.rule),
  );
}
