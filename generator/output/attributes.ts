import { manifestName } from "./manifest.js";
import type { OutputFile } from "./output-file.js";

/** Tells git how to treat the generated files: LF everywhere, folded away in reviews, manifests merged line by line. */
export function gitAttributes(generated: string): OutputFile {
  const content = `* text eol=lf linguist-generated\n${manifestName} merge=union\n`;
  return { path: `${generated}/.gitattributes`, content, owner: "tool" };
}
