import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

interface Package {
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly peerDependenciesMeta?: Readonly<Record<string, { readonly optional?: boolean }>>;
  readonly resolved?: string;
  readonly link?: boolean;
}

const lock = JSON.parse(readFileSync(new URL("../package-lock.json", import.meta.url), "utf8")) as {
  packages: Readonly<Record<string, Package>>;
};

/** All that npm installs beside a package, by the places where the lock has it. */
function tree(place: string, found = new Set<string>()): Set<string> {
  const { dependencies, optionalDependencies, peerDependencies, peerDependenciesMeta } = lock.packages[place]!;
  const peers = Object.keys(peerDependencies ?? {}).filter((name) => !peerDependenciesMeta?.[name]?.optional);
  for (const name of [...Object.keys({ ...dependencies, ...optionalDependencies }), ...peers]) {
    const next = resolve(place, name);
    if (next === undefined || found.has(next)) continue;
    found.add(next);
    tree(next, found);
  }
  return found;
}

/** As Node looks for it: from the package's own folder upwards. A workspace is a link to its folder. */
function resolve(place: string, name: string): string | undefined {
  for (let folder = place; ; folder = folder.slice(0, Math.max(folder.lastIndexOf("/"), 0))) {
    const at = `${folder === "" ? "" : `${folder}/`}node_modules/${name}`;
    const there = lock.packages[at];
    if (there !== undefined) return there.link ? there.resolved : at;
    if (folder === "") return undefined;
  }
}

test("the runtime library's dependencies hold no buf, template engine, command line, compiler or database", () => {
  const packages = [...tree("runtime")].map((place) => place.replace(/^.*node_modules\//, ""));
  expect(packages).toContain("@bufbuild/protobuf");
  expect(packages).toContain("fastify");
  const foreign =
    /^@bufbuild\/(buf|protoc|protoplugin)|handlebars|yargs|typescript|esbuild|embedded|pglite|^tsx$|vitest/;
  expect(packages.filter((name) => foreign.test(name))).toEqual([]);
  // The same look finds them in the tool's.
  expect([...tree("generator")].filter((place) => foreign.test(place)).length).toBeGreaterThan(5);
});
