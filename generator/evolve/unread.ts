import { stat } from "node:fs/promises";
import { join } from "node:path";
import type { Contract } from "../contract/contract.js";
import type { Diagnostic } from "../contract/findings/diagnostic.js";
import { Findings } from "../contract/findings/findings.js";
import { absent } from "../output/path.js";
import type { Settings } from "../project/settings.js";
import { compare } from "./compare.js";
import { corpusFolder, planEvolution } from "./evolution.js";
import { messageOf, shapeOf } from "./shape.js";

/**
 * Returns a finding for each event whose old versions cannot be read and for which no upcaster has been started. Places name
 * files as the image of `after` does.
 */
export async function unreadEvents(settings: Settings, before: Contract, after: Contract): Promise<Diagnostic[]> {
  const findings = new Findings();
  const old = new Map(before.events.map((event) => [event.topic, messageOf(shapeOf(event.desc))]));
  const { histories } = await planEvolution(settings, after);
  for (const [event, { upcasts }] of histories) {
    const was = old.get(event.topic);
    if (was === undefined) continue;
    const { change, holes } = compare(was, messageOf(shapeOf(event.desc)));
    if (change !== "incompatible") continue;
    const upcast = upcasts.find((each) => compare(was, each.old).change !== "incompatible");
    const path = `${corpusFolder(settings, event.publishers[0]!, event)}/from-${upcast?.from ?? 0}.ts`;
    if (await isThere(join(settings.root, path))) continue;
    findings.error(
      "EVENT_CHANGED",
      event.desc,
      `${event.desc.name} cannot be read in its old version without an upcaster, which fills ${holes.join(" and ")}. ` +
        "scaffold generate starts it. Deploy consumers before the publisher then.",
    );
  }
  return findings.all();
}

async function isThere(path: string): Promise<boolean> {
  return (await stat(path).catch(absent)) !== undefined;
}
