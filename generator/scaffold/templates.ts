import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join, sep } from "node:path";
import { fileURLToPath } from "node:url";
import type { Diagnostic } from "../contract/findings/diagnostic.js";
import { absent, assertReachable } from "../output/path.js";
import { byCodeUnit } from "../output/text.js";
import type { Rule } from "../rules/catalogue.js";
import { didYouMean } from "../text/closest.js";
import { faultIn } from "./template-fault.js";

/** The folder of a project's own templates, relative to its root. */
export const ownFolder = "templates";

/** A template of the tool. */
export interface TemplateInfo {
  /** "service/main.ts.hbs": a file of this name in the project's `templates/` replaces it. */
  readonly name: string;
  readonly overridden: boolean;
}

/** Returns the tool's templates, and findings about the project's own. */
export async function listTemplates(root: string): Promise<{ templates: TemplateInfo[]; findings: Diagnostic[] }> {
  const [names, own] = await Promise.all([templatesIn(builtIn()), templatesIn(join(root, ownFolder))]);
  const findings = await Promise.all(own.map((name) => checkOwn(root, name, names)));
  // In the tool's own checkout both are the same files.
  const same = fileURLToPath(builtIn()) === join(root, ownFolder, sep);
  return {
    templates: names.map((name) => ({ name, overridden: !same && own.includes(name) })),
    findings: findings.flat(),
  };
}

/** Copies a template to the project's folder of templates. Returns its path. Overwrites nothing. */
export async function ejectTemplate(root: string, name: string): Promise<string> {
  const names = await templatesIn(builtIn());
  if (!names.includes(name)) {
    throw new Error(`${name} is not a template.${didYouMean(name, names)} scaffold templates list shows them all`);
  }
  const path = `${ownFolder}/${name}`;
  assertReachable(root, path);
  await mkdir(dirname(join(root, path)), { recursive: true });
  const text = await readFile(new URL(name, builtIn()), "utf8");
  try {
    await writeFile(join(root, path), text, { flag: "wx" });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") {
      // Remove a partial copy: it would count as the project's own.
      await rm(join(root, path), { force: true });
      throw error;
    }
    throw new Error(`${path} is there already, and yours. Remove it first to start from the tool's own again`);
  }
  return path;
}

/** Reads a template, the project's own if it has one. `file` is undefined for the tool's. */
export async function readTemplate(root: string, name: string): Promise<{ text: string; file: string | undefined }> {
  const own = await readFile(join(root, ownFolder, name), "utf8").catch(absent);
  if (own !== undefined) return { text: own, file: `${ownFolder}/${name}` };
  return { text: await readFile(new URL(name, builtIn()), "utf8"), file: undefined };
}

async function checkOwn(root: string, name: string, names: readonly string[]): Promise<Diagnostic[]> {
  const file = `${ownFolder}/${name}`;
  if (names.includes(name)) return faultIn(file, await readFile(join(root, file), "utf8"));
  const rule: Rule = "TEMPLATE_UNUSED";
  const message = `The tool has no template ${name}, so nothing reads this one.${didYouMean(name, names)}`;
  return [{ file, line: 1, column: 1, rule, message, severity: "note" }];
}

async function templatesIn(folder: string | URL): Promise<string[]> {
  const names = (await readdir(folder, { recursive: true }).catch(absent)) ?? [];
  return names
    .filter((name) => name.endsWith(".hbs"))
    .map((name) => name.replaceAll(sep, "/"))
    .sort(byCodeUnit);
}

/** The folder of templates: at the top of a checkout, or its copy in the package. */
function builtIn(): URL {
  return new URL(import.meta.url.endsWith(".ts") ? "../../templates/" : "../templates/", import.meta.url);
}
