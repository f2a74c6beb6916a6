import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { bufBinary } from "../image/buf.js";
import { bufModules } from "../image/modules.js";
import { applyOutput, planOutput } from "../output/output.js";
import type { OutputFile } from "../output/output-file.js";
import { absent } from "../output/path.js";
import { exclusively } from "../project/lock.js";
import type { Settings } from "../project/settings.js";
import { version } from "../project/version.js";
import { planService, type ServiceRequest } from "./service.js";

/**
 * Writes the starters of a new service. Returns the files, the contract first. Throws, and writes nothing, if any of them
 * exists.
 */
export async function newService(
  settings: Settings,
  request: Omit<ServiceRequest, "package" | "isUsualPackage"> & { readonly package: string | undefined },
): Promise<OutputFile[]> {
  // The next step generates from these files, which needs buf: fail before writing if it is missing.
  bufBinary();
  const [protos = "."] = await bufModules(settings.root);
  const pkg = request.package ?? `${await usualPrefix(settings, protos)}.${request.name.replaceAll("-", "_")}.v1`;
  return exclusively(settings.root, async () => {
    const isUsualPackage = request.package === undefined;
    const files = await planService({ ...request, package: pkg, isUsualPackage }, settings, protos);
    const taken = files.filter(({ path }) => existsSync(join(settings.root, path))).map(({ path }) => path);
    if (taken.length > 0) {
      throw new Error(
        `${request.name} is there already: ${taken.join(", ")}. Choose another name, or remove them first`,
      );
    }
    // Generated files are not considered here. Starters that were removed are written again.
    const place = { ...settings, version };
    const actions = await planOutput(place, files, { part: () => false, recreate: true });
    await applyOutput(place, actions);
    return files;
  });
}

/** Returns the first word of the project's Protobuf packages: its only folder among the protos, or its npm package's name. */
async function usualPrefix({ root, package: name }: Settings, protos: string): Promise<string> {
  const entries = (await readdir(join(root, protos), { withFileTypes: true }).catch(absent)) ?? [];
  const folders = entries.filter((entry) => entry.isDirectory() && /^[a-z][a-z0-9_]*$/.test(entry.name));
  const [own, ...others] = folders.map((folder) => folder.name).filter((folder) => !lenders.includes(folder));
  if (own !== undefined && others.length === 0) return own;
  // "@shop/generated", "@acme/shop-generated", "shop-generated".
  const [scope = "", ...rest] = name.replace(/^@/, "").split("/");
  const last = (rest[0] ?? scope).replace(/(^|-)generated$/, "");
  const word = last === "" ? scope : last;
  return word.replace(/[^a-z0-9]+/g, "_").replace(/^(?![a-z])/, "p");
}

/** Folders of vendored protos. */
const lenders = ["buf", "google", "grpc", "scaffold", "node_modules"];
