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
 * Writes what a new service starts with, and answers with the files, the contract first. Throws, and writes nothing, if
 * any of them is there already.
 */
export async function newService(
  settings: Settings,
  request: Omit<ServiceRequest, "package" | "isUsualPackage"> & { readonly package: string | undefined },
): Promise<OutputFile[]> {
  // What is written is generated from next: without buf it would be left half done.
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
    // Nothing of the tool's is looked at here; what was once removed is asked for again.
    const place = { ...settings, version };
    const actions = await planOutput(place, files, { part: () => false, recreate: true });
    await applyOutput(place, actions);
    return files;
  });
}

/** What the project's packages begin with: the one folder of its own among the protos, or else its package's name. */
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

/** Folders of other people's words. */
const lenders = ["buf", "google", "grpc", "scaffold", "node_modules"];
