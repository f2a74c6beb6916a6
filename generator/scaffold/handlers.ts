import { type Dirent, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Contract, Method, Service, Subscription } from "../contract/contract.js";
import { identifier } from "../contract/names/identifier.js";
import { camelCase } from "../contract/names/names.js";
import type { OutputFile } from "../output/output-file.js";
import { absent } from "../output/path.js";
import { lf } from "../output/text.js";
import type { Settings } from "../project/settings.js";
import { type Render, renderer } from "./render.js";

/** Handwritten methods or event handlers that do not exist yet. */
export interface MissingHandlers {
  /** The service's name in its contract: "OrderService". */
  readonly service: string;
  /** Whether they are event handlers rather than methods. */
  readonly consumes: boolean;
  /** The file with its handlers, relative to the project's root. */
  readonly file: string;
  /** The names of the methods in code. */
  readonly methods: readonly string[];
  /** A stub to paste among the handlers: it compiles, and fails with UNIMPLEMENTED. */
  readonly stub: string;
}

/** Returns the starters of services without handwritten code: the handlers, and the entry of the process. */
export async function planStarters(
  settings: Settings,
  { services }: Pick<Contract, "services">,
): Promise<OutputFile[]> {
  const files: OutputFile[] = [];
  const render = renderer(settings.root);
  for (const service of services) {
    const folder = `${settings.services}/${service.name}`;
    const sources = sourcesIn(settings.root, folder);
    const [handlersPath, mainPath] = [`${folder}/${service.name}.ts`, `${folder}/main.ts`];
    const [handlers, main] = [sources.get(handlersPath), sources.get(mainPath)];
    const started = [handlers, main].filter((text) => text !== undefined).length;
    // A service with other files has been started in another way.
    if (started === 2 || sources.size > started) continue;
    const [methods, consumers] = [
      await stubs(render, service.methods.filter(isByHand)),
      await consumerStubs(render, service.consumes),
    ];
    const data = {
      name: service.name,
      constant: constant(service),
      definition: definition(service),
      generated: `${settings.package}/${service.file}`,
      // Each part is indented by one level.
      stubs: indented(methods),
      consumers: indented(consumers),
      sagas: indented(await sagas(render, service.methods)),
    };
    const starter = async (path: string, template: string) => {
      return { path, content: await render(`service/${template}`, data), owner: "user" } as const;
    };
    const [newHandlers, newMain] = [
      await starter(handlersPath, "methods.ts.hbs"),
      await starter(mainPath, "main.ts.hbs"),
    ];
    if (handlers === undefined && (main === undefined || lf(main) === newMain.content)) files.push(newHandlers);
    if (main === undefined && (handlers === undefined || exports(handlers, service))) files.push(newMain);
  }
  return files;
}

/**
 * Returns the methods whose names do not occur in the sources of their service: the compiler will report them. Only for services
 * with handlers in the usual file. Tests do not count.
 */
export async function missingHandlers(
  settings: Settings,
  { services }: Pick<Contract, "services">,
): Promise<MissingHandlers[]> {
  const missing: MissingHandlers[] = [];
  const render = renderer(settings.root);
  for (const service of services) {
    const sources = sourcesIn(settings.root, `${settings.services}/${service.name}`);
    const file = [...sources].find(([, text]) => names(text, definition(service)))?.[0];
    if (file === undefined) continue;
    const code = [...sources.values()].map(withoutComments);
    const isMissing = (name: string) => !code.some((text) => names(text, name));
    const methods = service.methods.filter((method) => isByHand(method) && isMissing(method.desc.localName));
    if (methods.length > 0) {
      missing.push({
        service: service.desc.name,
        consumes: false,
        file,
        methods: methods.map(({ desc }) => desc.localName),
        stub: await stubs(render, methods),
      });
    }
    const consumers = service.consumes.filter(({ event }) => isMissing(event.handler));
    if (consumers.length > 0) {
      missing.push({
        service: service.desc.name,
        consumes: true,
        file,
        methods: consumers.map(({ event }) => event.handler),
        stub: await consumerStubs(render, consumers),
      });
    }
  }
  return missing;
}

function isByHand({ standard }: Method): boolean {
  return standard === undefined;
}

async function stubs(render: Render, methods: readonly Method[]): Promise<string> {
  const texts = methods.map(({ desc }) =>
    render("service/method.ts.hbs", {
      name: desc.localName,
      rpc: desc.name,
      asks: desc.methodKind === "client_streaming" || desc.methodKind === "bidi_streaming",
      answers: desc.methodKind === "server_streaming" || desc.methodKind === "bidi_streaming",
    }),
  );
  return (await Promise.all(texts)).join("\n").trimEnd();
}

async function consumerStubs(render: Render, subscriptions: readonly Subscription[]): Promise<string> {
  const texts = subscriptions.map(({ event: { handler, desc } }) =>
    render("service/consumer.ts.hbs", { name: handler, event: desc.name }),
  );
  return (await Promise.all(texts)).join("\n").trimEnd();
}

/** Returns stubs of the sagas that methods start, or an empty text. */
async function sagas(render: Render, methods: readonly Method[]): Promise<string> {
  const texts = methods.flatMap(({ desc, saga }) => {
    if (saga === undefined) return [];
    const steps = saga.steps.map(({ name, localName }) => ({ name, local: localName }));
    return [render("service/saga.ts.hbs", { name: desc.localName, rpc: desc.name, steps })];
  });
  return (await Promise.all(texts)).join("\n").trimEnd();
}

function indented(text: string): string {
  return text.replaceAll(/^(?=.)/gm, "  ");
}

/** Returns the function that creates the service: `orderService`. */
function definition({ exports }: Service): string {
  return exports.define;
}

/** Returns the export of its handlers' file: `orders`. */
export function constant({ name, exports }: Service): string {
  const plain = identifier(camelCase(name));
  return plain === exports.define ? `${plain}Service` : plain;
}

export function exports(text: string, service: Service): boolean {
  return text.includes(`export const ${constant(service)} = ${definition(service)}(`);
}

/** Returns whether a text contains a whole word. */
function names(text: string, word: string): boolean {
  return new RegExp(`(?<![\\w$])${word.replaceAll("$", "\\$")}(?![\\w$])`).test(text);
}

/** Returns the texts of a folder's sources, recursively, by path. */
export function sourcesIn(root: string, folder: string): Map<string, string> {
  const sources = new Map<string, string>();
  for (const entry of entries(join(root, folder))) {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory() && !["node_modules", "dist", "web", "migrations"].includes(entry.name)) {
      for (const [inner, text] of sourcesIn(root, path)) sources.set(inner, text);
    } else if (/\.[cm]?[jt]sx?$/.test(entry.name) && !/\.(test|d)\./.test(entry.name) && !entry.isDirectory()) {
      sources.set(path, readFileSync(join(root, path), "utf8"));
    }
  }
  return sources;
}

function entries(folder: string): Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch (error) {
    return absent(error as NodeJS.ErrnoException) ?? [];
  }
}

/** Removes comments, which do not implement a method. Strings are skipped: they may contain what looks like a comment. */
function withoutComments(text: string): string {
  const parts = /("(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`)|\/\*[\s\S]*?\*\/|\/\/[^\n]*/g;
  return text.replace(parts, (_, quoted: string | undefined) => quoted ?? " ");
}
