import type { Contract } from "../contract/contract.js";
import { publishedBy } from "../contract/event.js";
import { upcasterExport } from "../contract/exports.js";
import { corpusFolder, type Evolution } from "../evolve/evolution.js";
import type { OutputFile } from "../output/output-file.js";
import type { Settings } from "../settings.js";
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
