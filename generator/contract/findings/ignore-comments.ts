import type { FileDescriptorSet } from "@bufbuild/protobuf/wkt";

/** A comment that suppresses a rule: `// scaffold:ignore RULE reason`. */
export interface IgnoreComment {
  /** The column at which the comment begins, from 1. */
  readonly line: number;
  readonly column: number;
  /** The line to which it applies: its own if that has code, or else the next one that has. */
  readonly about: number;
  /** Empty if the comment names none. */
  readonly rule: string;
  readonly reason: string;
}

/** The first word of such a comment. */
export const ignoreWord = "scaffold:ignore";

/** Returns the comments in the text of a .proto file. Strings and block comments contain none. */
export function ignoreComments(text: string): IgnoreComment[] {
  if (!text.includes(ignoreWord)) return [];
  const lines = text.split("\n");
  const found: IgnoreComment[] = [];
  let inBlock = false;
  for (const [index, line] of lines.entries()) {
    const scanned = lineComment(line, inBlock);
    inBlock = scanned.inBlock;
    if (scanned.start === undefined) continue;
    const [, rule, reason] =
      /^\/\/\s*scaffold:ignore(?![\w:-])\s*(\S*)\s*(.*?)\s*$/.exec(line.slice(scanned.start)) ?? [];
    if (rule === undefined || reason === undefined) continue;
    const trails = line.slice(0, scanned.start).trim() !== "";
    const about = trails ? index : nextCode(lines, index + 1);
    found.push({ line: index + 1, column: scanned.start + 1, about: about + 1, rule, reason });
  }
  return found;
}

/** Returns where the line comment starts, and whether a block comment continues after the line. */
function lineComment(line: string, inBlock: boolean): { start: number | undefined; inBlock: boolean } {
  const token = /\/\/|\/\*|"(?:[^"\\]|\\.)*"?|'(?:[^'\\]|\\.)*'?/g;
  while (true) {
    if (inBlock) {
      const end = line.indexOf("*/", token.lastIndex);
      if (end < 0) return { start: undefined, inBlock };
      inBlock = false;
      token.lastIndex = end + 2;
    }
    const next = token.exec(line);
    if (next === null) return { start: undefined, inBlock };
    if (next[0] === "//") return { start: next.index, inBlock };
    if (next[0] === "/*") inBlock = true;
  }
}

/** Returns the next line that is neither empty nor only a comment: doc comments may stand between. */
function nextCode(lines: readonly string[], from: number): number {
  const next = lines.findIndex((line, index) => index >= from && !/^\s*(\/\/.*)?$/.test(line));
  return next < 0 ? from : next;
}

/** Removes such comments from an image: they are for the tool and not for readers of generated code. Changes the image. */
export function withoutIgnores(image: FileDescriptorSet): FileDescriptorSet {
  for (const { sourceCodeInfo } of image.file) {
    for (const location of sourceCodeInfo?.location ?? []) {
      if (location.leadingComments) location.leadingComments = without(location.leadingComments);
      if (location.trailingComments) location.trailingComments = without(location.trailingComments);
    }
  }
  return image;
}

function without(comment: string): string {
  if (!comment.includes(ignoreWord)) return comment;
  return comment
    .split("\n")
    .filter((line) => !line.trimStart().startsWith(ignoreWord))
    .join("\n");
}
