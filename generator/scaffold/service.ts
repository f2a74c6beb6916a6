import { identifier } from "../contract/identifier.js";
import { camelCase, pascalCase, takenServiceNames } from "../contract/names.js";
import type { OutputFile } from "../output/output-file.js";
import type { Settings } from "../settings.js";
import { type EntityData, parseEntity } from "./entity.js";
import { renderer } from "./render.js";

/** A service to start, as the user asks for it. */
export interface ServiceRequest {
  /** "catalog": names its folder, its process and its database. */
  readonly name: string;
  /** "shop.catalog.v1". */
  readonly package: string;
  /** Whether the package was made from the name, which then is all that can be wrong with it. Default: no. */
  readonly isUsualPackage?: boolean;
  /** `Product:name,price_cents:int64`, one for each entity. */
  readonly entities: readonly string[];
}

const version = /^v\d+((alpha|beta)\d+)?$/;

/** Throws an Error that lists all that is wrong with the request. */
export function checkRequest({ name, package: pkg, isUsualPackage, entities }: ServiceRequest): EntityData[] {
  const faults: string[] = [];
  if (!/^[a-z][a-z0-9]*(-[a-z][a-z0-9]*)*$/.test(name)) {
    faults.push(`"${name}" is no name of a service: write it like order-history`);
  } else if (takenServiceNames.has(name)) {
    faults.push(`"${name}" is the system's own name for a part of it: choose another`);
  }
  const words = pkg.split(".");
  const word = name.replaceAll("-", "_");
  const isVersioned = words.every((part) => /^[a-z][a-z0-9_]*$/.test(part)) && version.test(words.at(-1) ?? "");
  if (!isUsualPackage && !isVersioned) {
    faults.push(`--package ${pkg} is no package with a version: write it like shop.${word}.v1`);
  } else if (!isUsualPackage && words.at(-2) !== word) {
    faults.push(`--package ${pkg} belongs to another service: the word before its version must be ${word}`);
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

/** The path of the service's contract inside the module of protos. */
export function contractPath({ name, package: pkg }: ServiceRequest): string {
  return `${pkg.replaceAll(".", "/")}/${name.replaceAll("-", "_")}.proto`;
}

/** The files that a new service starts with, all the user's. `protos` is the folder of the module of protos. */
export async function planService(request: ServiceRequest, settings: Settings, protos: string): Promise<OutputFile[]> {
  const entities = checkRequest(request);
  const contract = contractPath(request);
  const data = {
    name: request.name,
    constant: identifier(camelCase(request.name)),
    package: request.package,
    service: `${pascalCase(camelCase(request.name))}Service`,
    path: `/${request.package.split(".").at(-1)}/${request.name}`,
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
