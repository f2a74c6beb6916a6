import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";

/** What is in a folder: the hash of each file by path, and each folder. Links, `.git` and the tool's own state are left out. */
export function treeOf(root: string, skip: (path: string) => boolean = () => false): Record<string, string> {
  const tree: Record<string, string> = {};
  const walk = (folder: string) => {
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      const place = join(folder, entry.name);
      const path = relative(root, place);
      if ([".git", ".scaffold", "node_modules"].includes(entry.name) || entry.isSymbolicLink() || skip(path)) continue;
      if (entry.isDirectory()) {
        tree[`${path}/`] = "";
        walk(place);
      } else {
        tree[path] = createHash("sha256").update(readFileSync(place)).digest("hex");
      }
    }
  };
  walk(root);
  return tree;
}
