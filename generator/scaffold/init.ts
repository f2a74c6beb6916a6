import { readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { planVendored } from "../image/vendored.js";
import type { Action } from "../output/action.js";
import { applyOutput, planOutput } from "../output/output.js";
import type { OutputFile } from "../output/output-file.js";
import { absent } from "../output/path.js";
import { replace } from "../output/replace.js";
import { type Settings, settingsOf } from "../project/settings.js";
import { version } from "../project/version.js";
import { completePackage } from "./package-json.js";
import { renderer } from "./render.js";

/** A new project in a folder, which may contain files. */
export interface InitRequest {
  /** The folder, absolute. */
  readonly root: string;
  /** The project's name, in its package.json. */
  readonly name: string;
  /** The package name of generated code: "@acme/generated". */
  readonly package: string;
}

export interface InitResult {
  readonly settings: Settings;
  /** Whether package.json is new, and what was added to it. */
  readonly manifest: { readonly created: boolean; readonly added: readonly string[] };
  /** The actions on the other files. */
  readonly actions: readonly Action[];
}

/** A template, and the path of the file that it becomes. npm leaves files named .gitignore out of packages. */
const templates: readonly (readonly [template: string, path: (settings: Settings) => string])[] = [
  ["README.md", () => "README.md"],
  ["_gitignore", () => ".gitignore"],
  ["buf.yaml", () => "buf.yaml"],
  ["gateway/main.ts", ({ services }) => `${services}/gateway/main.ts`],
  ["tsconfig.json", () => "tsconfig.json"],
  ["vitest.config.ts", () => "vitest.config.ts"],
];

/**
 * Makes a folder a project. Existing files stay as they are. Missing settings are added to package.json, and existing ones stay
 * unchanged.
 */
export async function initProject({ root, name, package: imported }: InitRequest): Promise<InitResult> {
  const before = await readFile(join(root, "package.json"), "utf8").catch(absent);
  const { content, added } = completePackage(before, name, imported);
  const manifest = JSON.parse(content) as { name: string };
  const settings = settingsOf(root, manifest);
  if (added.length > 0) replace({ ...settings, version }, "package.json", content);

  const data = {
    name: manifest.name,
    generated: settings.package,
    generatedFolder: settings.generated,
    services: settings.services,
  };
  const render = renderer(root);
  const starters: OutputFile[] = [];
  for (const [template, path] of templates) {
    starters.push({
      path: path(settings),
      content: await render(`project/${template}.hbs`, data),
      owner: "user",
    });
  }
  const first = await write(settings, starters);
  // buf.yaml determines their folder.
  const words = await write(settings, await planVendored(settings, { recreate: true }));
  return { settings, manifest: { created: before === undefined, added }, actions: [...first, ...words] };
}

/** Returns the name of a project without one: its folder's, as in npm. */
export async function usualName(root: string): Promise<string> {
  const text = await readFile(join(root, "package.json"), "utf8").catch(absent);
  const { name } = JSON.parse(text ?? "{}") as { name?: string };
  if (name !== undefined) return name;
  const word = basename(root)
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-+|-+$/g, "");
  return /^[a-z]/.test(word) ? word : `project${word === "" ? "" : `-${word}`}`;
}

/** Returns the default package name of generated code. */
export function usualPackage(name: string): string {
  const [, scope, word = name] = /^@([^/]+)\/(.*)$/.exec(name) ?? [];
  return scope === undefined ? `@${word}/generated` : `@${scope}/${word}-generated`;
}

async function write(settings: Settings, files: readonly OutputFile[]): Promise<Action[]> {
  const wanted = new Set(files.map(({ path }) => path));
  const place = { ...settings, version };
  const actions = await planOutput(place, files, { part: () => false, recreate: true });
  await applyOutput(place, actions);
  return actions.filter(({ path }) => wanted.has(path));
}
