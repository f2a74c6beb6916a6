import { readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));

/** Returns the project's own files whose names end as `ending` says, as paths from the root. */
function files(ending: RegExp, folder = "."): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (/^(\..*|node_modules|dist|testdata)$/.test(entry.name)) return [];
    if (entry.isDirectory()) return files(ending, path);
    return ending.test(entry.name) ? [path] : [];
  });
}

function read(path: string): string {
  return readFileSync(join(root, path), "utf8");
}

/** Returns a page's text without its code, in which nothing is a link or a heading. */
function prose(path: string): string {
  return read(path)
    .replace(/^```.*?^```/gms, "")
    .replace(/`[^`\n]+`/g, (code) => code.replace(/[[\]()]/g, ""));
}

/** Returns the anchors that a page's headings have on GitHub. */
function anchors(path: string): Set<string> {
  const headings = [...prose(path).matchAll(/^#{1,6} (.+)$/gm)].map(([, heading = ""]) =>
    heading
      .replace(/\[([^\]]*)\]\([^)]*\)/g, "$1")
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, "")
      .trim()
      .replace(/\s/g, "-"),
  );
  const seen = new Map<string, number>();
  return new Set(
    headings.map((heading) => {
      const before = seen.get(heading) ?? 0;
      seen.set(heading, before + 1);
      return before === 0 ? heading : `${heading}-${before}`;
    }),
  );
}

function isDead(target: string, from: string): boolean {
  const [path = "", anchor] = target.split("#");
  const place = path === "" ? from : relative(root, resolve(root, dirname(from), path));
  if (statSync(join(root, place), { throwIfNoEntry: false }) === undefined) return true;
  return anchor !== undefined && place.endsWith(".md") && !anchors(place).has(anchor);
}

const pages = files(/\.md$/);

test("every link of a page leads to a file and a heading that exist", () => {
  const dead = pages.flatMap((page) =>
    [...prose(page).matchAll(/\]\(([^)\s]+)\)/g)]
      .map(([, target = ""]) => target)
      .filter((target) => !/^(https?|mailto):/.test(target) && isDead(target, page))
      .map((target) => `${page}: ${target}`),
  );
  expect(dead).toEqual([]);
});

test("every page that a source file names exists", () => {
  const sources = files(/\.(ts|js|json|proto|ya?ml|hbs)$/);
  const dead = sources.flatMap((source) =>
    [...read(source).matchAll(/\bdocs\/[\w/-]+\.md(?:#[\w-]+)?/g)]
      .map(([target]) => target)
      .filter((target) => isDead(target, "README.md"))
      .map((target) => `${source}: ${target}`),
  );
  expect(dead).toEqual([]);
});

test("every source file that a page names exists", () => {
  const named = /`((?:generator|runtime|examples|templates|scripts|bench)\/[\w./-]*\w\/?)`/g;
  const dead = pages
    .filter((page) => !/^(docs\/decisions\/|CHANGELOG)/.test(page))
    .flatMap((page) =>
      [...read(page).matchAll(named)]
        .map(([, target = ""]) => target)
        .filter((target) => isDead(target, "README.md"))
        .map((target) => `${page}: ${target}`),
    );
  expect(dead).toEqual([]);
});

test("every page below docs is reached by links from docs/README.md", () => {
  const reached = new Set<string>();
  const waiting = ["docs/README.md"];
  for (let page = waiting.pop(); page !== undefined; page = waiting.pop()) {
    if (reached.has(page) || !pages.includes(page)) continue;
    reached.add(page);
    for (const [, target = ""] of prose(page).matchAll(/\]\(([^)#\s]+)[^)\s]*\)/g)) {
      if (!/^https?:/.test(target)) waiting.push(relative(root, resolve(root, dirname(page), target)));
    }
  }
  expect(pages.filter((page) => page.startsWith("docs/") && !reached.has(page))).toEqual([]);
});
