import { fileURLToPath } from "node:url";
import Handlebars from "handlebars";
import { camelCase, pascalCase, snakeCase } from "../contract/names/names.js";
import { brokenAt, TemplateError, unknownName } from "./template-fault.js";
import { readTemplate } from "./templates.js";

/** The data of a template. It is plain: a getter on a prototype would render as nothing. */
export type TemplateData = { readonly [name: string]: string | number | boolean | readonly TemplateData[] };

const handlebars = Handlebars.create();
handlebars.registerHelper("camel", (name: string) => camelCase(name));
handlebars.registerHelper("pascal", (name: string) => pascalCase(name));
handlebars.registerHelper("kebab", (name: string) => snakeCase(pascalCase(name)).replaceAll("_", "-"));
handlebars.registerHelper("json", (value: unknown) => JSON.stringify(value));

/** Renders a template, such as "service/main.ts.hbs". Throws a TemplateError with the place of a fault. */
export type Render = (template: string, data: TemplateData) => Promise<string>;

/**
 * Renders templates for one run, and reads each once. A file of the same name in the project's folder `templates/` replaces a
 * template.
 */
export function renderer(root: string): Render {
  const known = new Map<string, ReturnType<typeof readTemplate>>();
  return async (template, data) => {
    const reading = known.get(template) ?? readTemplate(root, template);
    known.set(template, reading);
    const { text, file } = await reading;
    return renderText(
      file ?? fileURLToPath(new URL(template, "file:///protoscaffold/templates/")).slice(1),
      text,
      data,
    );
  };
}

/** Renders the text of a template. `file` is its path in findings. */
export function renderText(file: string, text: string, data: TemplateData): string {
  const missed: Missed = {};
  try {
    return compiled(text)(watched(data, missed));
  } catch (error) {
    const isMissed = missed.name !== undefined && /^".*" not defined in /.test((error as Error).message);
    throw new TemplateError([
      isMissed ? unknownName(file, error, missed.name!, missed.names ?? []) : brokenAt(file, error),
    ]);
  }
}

const templates = new Map<string, Handlebars.TemplateDelegate>();

/** One template is rendered for several services. */
function compiled(text: string): Handlebars.TemplateDelegate {
  const template = templates.get(text) ?? handlebars.compile(text, { strict: true, noEscape: true });
  templates.set(text, template);
  return template;
}

/** The last unknown name, and the known names. */
interface Missed {
  name?: string;
  names?: string[];
}

/** Wraps data so that it records unknown names: Handlebars does not report which names exist. */
function watched<T extends object>(data: T, missed: Missed): T {
  return new Proxy(data, {
    has(target, name) {
      const there = Reflect.has(target, name);
      if (!there && typeof name === "string") Object.assign(missed, { name, names: Object.keys(target) });
      return there;
    },
    get(target, name) {
      const value: unknown = Reflect.get(target, name);
      return typeof value === "object" && value !== null ? watched(value, missed) : value;
    },
  });
}
