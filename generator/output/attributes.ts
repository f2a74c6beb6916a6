import { manifestName } from "./manifest.js";
import type { OutputFile } from "./output-file.js";

/** The .gitattributes of generated files: LF everywhere, collapsed in reviews, manifests merged line by line. */
export function gitAttributes(generated: string): OutputFile {
  const content = `* text eol=lf linguist-generated\n${manifestName} merge=union\n`;
  return { path: `${generated}/.gitattributes`, content, owner: "tool" };
}
