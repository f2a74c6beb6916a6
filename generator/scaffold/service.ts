import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { identifier } from "../contract/names/identifier.js";
import { camelCase, pascalCase, takenServiceNames } from "../contract/names/names.js";
import type { OutputFile } from "../output/output-file.js";
import { absent } from "../output/path.js";
import type { Settings } from "../project/settings.js";
import { type EntityData, parseEntity } from "./entity.js";
import { renderer } from "./render.js";

/** The request for a new service. */
export interface ServiceRequest {
  /** "catalog": the name of its folder, its process and its database. */
  readonly name: string;
  /** "shop.catalog.v1". */
  readonly package: string;
  /** Whether the package was derived from the name, so that faults are the name's. Default: no. */
  readonly isUsualPackage?: boolean;
  /** `Product:name,price_cents:int64`, one for each entity. */
  readonly entities: readonly string[];
}

const version = /^v\d+((alpha|beta)\d+)?$/;

/** Throws an Error that lists all faults of the request. `given` are the names in package.json. */
export function checkRequest(
  { name, package: pkg, isUsualPackage, entities }: ServiceRequest,
  given: Settings["names"],
): EntityData[] {
  const faults: string[] = [];
  if (!/^[a-z][a-z0-9]*(-[a-z][a-z0-9]*)*$/.test(name)) {
    faults.push(`"${name}" is not a valid name of a service: write it like order-history`);
  } else if (takenServiceNames.has(name)) {
    faults.push(`"${name}" is the system's own name for a part of it: choose another`);
  }
  const words = pkg.split(".");
  const word = name.replaceAll("-", "_");
  const isVersioned = words.every((part) => /^[a-z][a-z0-9_]*$/.test(part)) && version.test(words.at(-1) ?? "");
  if (!isUsualPackage && !isVersioned) {
    faults.push(`--package ${pkg} is not a package with a version: write it like shop.${word}.v1`);
  } else if (!isUsualPackage && words.at(-2) !== word && !isVersion({ name, package: pkg }) && given[pkg] !== name) {
    faults.push(
      `--package ${pkg} belongs to another service: the word before its version must be ${word}, or package.json name it, "scaffold": {"names": {"${pkg}": "${name}"}}`,
    );
  }
  const parsed = entities.flatMap((entity) => {
    try {
      return [parseEntity(entity)];
    } catch (error) {
      faults.push((error as Error).message);
      return [];
    }
  });
  const names = parsed.map((entity) => entity.name);
  const twice = names.find((entity, index) => names.indexOf(entity) < index);
  if (twice !== undefined) faults.push(`--entity ${twice} is there twice`);
  if (faults.length > 0) throw new Error(faults.join("\n"));
  return parsed;
}

/** Returns whether it is a further version of a package: orders-v2 of shop.orders.v2. */
function isVersion({ name, package: pkg }: Pick<ServiceRequest, "name" | "package">): boolean {
  const [own = "", ownVersion] = pkg.split(".").slice(-2);
  return name === `${own.replaceAll("_", "-")}-${ownVersion}`;
}

/** Returns the service's name without its version, which its package has: orders of orders-v2. */
function contractName(request: ServiceRequest): string {
  return isVersion(request) ? request.name.replace(/-[^-]*$/, "") : request.name;
}

/** Returns the other versions of a package, which already have its short name. */
async function otherVersions({ package: pkg }: ServiceRequest, protos: string): Promise<string[]> {
  const words = pkg.split(".");
  const folders = (await readdir(join(protos, ...words.slice(0, -1))).catch(absent)) ?? [];
  return folders.filter((folder) => version.test(folder) && folder !== words.at(-1));
}

/** Returns the path of the service's contract inside the module of protos. */
export function contractPath(request: ServiceRequest): string {
  return `${request.package.replaceAll(".", "/")}/${contractName(request).replaceAll("-", "_")}.proto`;
}

/** Returns the starters of a new service. `protos` is the folder of the module of protos. */
export async function planService(request: ServiceRequest, settings: Settings, protos: string): Promise<OutputFile[]> {
  const entities = checkRequest(request, settings.names);
  if (isVersion(request) && (await otherVersions(request, join(settings.root, protos))).length === 0) {
    throw new Error(
      `${request.package} has no other version to stand beside: npx scaffold new-service ${contractName(request)} --package ${request.package}`,
    );
  }
  const contract = contractPath(request);
  const data = {
    name: request.name,
    constant: identifier(camelCase(request.name)),
    package: request.package,
    service: `${pascalCase(camelCase(contractName(request)))}Service`,
    path: `/${request.package.split(".").at(-1)}/${contractName(request)}`,
    generated: `${settings.package}/${contract.replace(/\.proto$/, "")}`,
    entities,
  };
  const render = renderer(settings.root);
  const folder = `${settings.services}/${request.name}`;
  const files: [template: string, path: string][] = [
    ["contract.proto.hbs", protos === "." ? contract : `${protos}/${contract}`],
    ["handlers.ts.hbs", `${folder}/${request.name}.ts`],
    ["main.ts.hbs", `${folder}/main.ts`],
    ["test.ts.hbs", `${folder}/${request.name}.test.ts`],
  ];
  return Promise.all(
    files.map(async ([template, path]) => ({
      path,
      content: await render(`service/${template}`, data),
      owner: "user" as const,
    })),
  );
}
