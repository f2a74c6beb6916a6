import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Contract } from "../contract/contract.js";
import { publishedBy } from "../contract/events/event.js";
import { upcasterExport } from "../contract/names/exports.js";
import { corpusFolder, type Evolution } from "../evolve/evolution.js";
import type { OutputFile } from "../output/output-file.js";
import { absent } from "../output/path.js";
import type { Settings } from "../project/settings.js";
import { constant, exports } from "./handlers.js";
import { renderer } from "./render.js";

/**
 * Returns starters of upcasters, in the folder of the event's versions: the publisher knows what old events mean, and all
 * consumers share them. Their missing fields do not compile.
 */
export async function planUpcasters(
  settings: Settings,
  { services }: Pick<Contract, "services">,
  { histories }: Pick<Evolution, "histories">,
): Promise<OutputFile[]> {
  const files: Promise<OutputFile>[] = [];
  const render = renderer(settings.root);
  for (const service of services) {
    for (const event of publishedBy(service)) {
      for (const { from, holes } of histories.get(event)?.upcasts ?? []) {
        const data = {
          name: `${event.handler}From${from}`,
          type: upcasterExport(event.desc, from),
          event: event.desc.name,
          from,
          to: from + 1,
          holes: holes.map((name) => ({ name })),
          generated: `${settings.package}/${event.file}`,
        };
        const path = `${corpusFolder(settings, service, event)}/from-${from}.ts`;
        const content = render("service/upcaster.ts.hbs", data);
        files.push(content.then((text) => ({ path, content: text, owner: "user" })));
      }
    }
  }
  return Promise.all(files);
}

/**
 * Returns a starter test for each consuming service: that it reads every version of its events. Only for projects with vitest,
 * for services with handlers in the usual file and without such a test.
 */
export async function planCorpusTests(
  { root, services: folder }: Settings,
  { services }: Pick<Contract, "services">,
  starters: readonly OutputFile[],
): Promise<OutputFile[]> {
  const consumers = services.filter(({ consumes }) => consumes.length > 0);
  if (consumers.length === 0 || !(await hasVitest(root)) || (await hasCorpusTest(root, folder))) return [];
  const render = renderer(root);
  const files: OutputFile[] = [];
  for (const service of consumers) {
    const place = `${folder}/${service.name}`;
    const handlers = `${place}/${service.name}.ts`;
    const text =
      starters.find(({ path }) => path === handlers)?.content ??
      (await readFile(join(root, handlers), "utf8").catch(absent));
    if (text === undefined || !exports(text, service) || (await hasCorpusTest(root, place))) continue;
    const data = { name: service.name, constant: constant(service) };
    const content = await render("service/events.test.ts.hbs", data);
    files.push({ path: `${place}/events.test.ts`, content, owner: "user" });
  }
  return files;
}

async function hasVitest(root: string): Promise<boolean> {
  const { dependencies = {}, devDependencies = {} } = JSON.parse(await readFile(join(root, "package.json"), "utf8"));
  return "vitest" in dependencies || "vitest" in devDependencies;
}

async function hasCorpusTest(root: string, folder: string): Promise<boolean> {
  const names = ((await readdir(join(root, folder)).catch(absent)) ?? []).filter((name) => name.endsWith(".test.ts"));
  const texts = await Promise.all(names.map((name) => readFile(join(root, folder, name), "utf8")));
  return texts.some((text) => text.includes("corpusFaults"));
}
