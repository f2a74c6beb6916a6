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
 * What somebody has to say of events that were published in other words, begun: beside the versions of the event, for its
 * publisher knows what they mean, and once for all who consume it. What is missing there does not compile.
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
 * For each service that consumes events a test that it reads every version of them; where the project has vitest, the
 * service's handlers are where they usually are, and no such test is there yet.
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
