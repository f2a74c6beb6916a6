import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { absent, assertProjectPath } from "../output/path.js";

/** The project's settings: `scaffold` in its package.json. buf's settings stay in buf's files. */
export interface Settings {
  /** The project's root, absolute: the folder of that package.json. */
  readonly root: string;
  /** The folder of the handwritten services, one folder each, relative to the root. Default: "services". */
  readonly services: string;
  /** The folder of generated files, relative to the root. Default: "generated". */
  readonly generated: string;
  /** The package name of generated code. Default: the project's name and "-generated". */
  readonly package: string;
  /** Short names of services, by the full name of the service or of its package. Default: the package's last word. */
  readonly names: Readonly<Record<string, string>>;
  /** The full names of services that this system runs although their contracts lack (scaffold.v1.service). Default: none. */
  readonly run: readonly string[];
}

/**
 * Returns the root of the project that contains `folder`: the nearest folder upwards whose package.json has `scaffold`, or which
 * has a buf.yaml beside its package.json.
 */
export async function findRoot(folder: string): Promise<string> {
  for (let place = folder; ; place = dirname(place)) {
    const manifest = await readPackage(place);
    if (manifest !== undefined) {
      if (manifest.scaffold !== undefined) return place;
      if ((await readFile(join(place, "buf.yaml")).catch(absent)) !== undefined) return place;
    }
    if (place === dirname(place)) break;
  }
  throw new Error(
    `${folder} is not inside a project. Add "scaffold": {} to the package.json at the root of yours, and a buf.yaml`,
  );
}

const known = ["services", "generated", "package", "names", "run"];

/** Reads the settings of the project at `root`, with defaults. Throws an Error that lists all faults. */
export async function readSettings(root: string): Promise<Settings> {
  const manifest = await readPackage(root);
  if (manifest === undefined) {
    throw new Error(`${join(root, "package.json")} does not exist. npx protoscaffold init makes one`);
  }
  return settingsOf(root, manifest);
}

/** Parses the settings in the text of a package.json, with defaults. Throws as `readSettings` does. */
export function settingsOf(root: string, manifest: Readonly<Record<string, unknown>>): Settings {
  const said = manifest.scaffold ?? {};
  if (typeof said !== "object" || said === null || Array.isArray(said)) {
    throw new Error(`package.json: "scaffold" must be an object, such as {"services": "services"}`);
  }
  const faults: string[] = [];
  for (const key of Object.keys(said)) {
    if (!known.includes(key)) faults.push(`"${key}" is not a setting. There are: ${known.join(", ")}`);
  }
  const { services = "services", generated = "generated", package: name, names = {}, run = [] } = said as Said;
  checkFolder("services", services, faults);
  checkFolder("generated", generated, faults);
  if (faults.length === 0 && `${services}/`.startsWith(`${generated}/`)) {
    faults.push(
      `"services" (${services}) is inside "generated" (${generated}), which is all the tool's. Move one of them`,
    );
  }
  const imported = name ?? (typeof manifest.name === "string" ? `${manifest.name}-generated` : undefined);
  if (imported === undefined) {
    faults.push(`"package" is needed, since package.json has no name to derive it from: "@acme/generated"`);
  } else if (typeof imported !== "string" || !/^(@[a-z0-9~-][a-z0-9._~-]*\/)?[a-z0-9~-][a-z0-9._~-]*$/.test(imported)) {
    faults.push(
      `"package" is ${JSON.stringify(imported)}, which is not a valid name of an npm package: "@acme/generated" is one`,
    );
  }
  if (typeof names !== "object" || names === null || Array.isArray(names)) {
    faults.push(`"names" must be an object, such as {"acme.tax.v1.TaxService": "acme-tax"}`);
  } else {
    for (const [service, short] of Object.entries(names)) {
      if (typeof short === "string" && /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/.test(short)) continue;
      faults.push(
        `"names": ${JSON.stringify(short)} cannot name ${service}: use words of a-z and 0-9 with - between, such as "acme-tax"`,
      );
    }
  }
  if (!Array.isArray(run) || run.some((service) => typeof service !== "string")) {
    faults.push(`"run" must be a list of services, such as ["acme.tax.v1.TaxService"]`);
  }
  if (faults.length > 0) throw new Error(faults.map((fault) => `package.json: scaffold: ${fault}`).join("\n"));
  return {
    root,
    services: services as string,
    generated: generated as string,
    package: imported as string,
    names: names as Settings["names"],
    run: run as Settings["run"],
  };
}

type Said = Partial<Record<Exclude<keyof Settings, "root">, unknown>>;

function checkFolder(key: string, folder: unknown, faults: string[]): void {
  try {
    if (typeof folder !== "string") throw new Error(`${JSON.stringify(folder)} is not a folder's name`);
    assertProjectPath(folder);
  } catch (error) {
    faults.push(`"${key}": ${(error as Error).message}`);
  }
}

async function readPackage(folder: string): Promise<Record<string, unknown> | undefined> {
  const path = join(folder, "package.json");
  const text = await readFile(path, "utf8").catch(absent);
  if (text === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== "object" || value === null) throw new Error("not an object");
    return value as Record<string, unknown>;
  } catch (error) {
    throw new Error(`${path} is not valid JSON: ${(error as Error).message}`);
  }
}
