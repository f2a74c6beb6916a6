import { type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf";
import type { GeneratedFile, Printable } from "@bufbuild/protoplugin";
import type { ContractFile, Event } from "../contract/contract.js";
import { firstVersion, type Histories, type History, type Upcast } from "../contract/events/history.js";
import { codecExports, upcasterExport } from "../contract/names/exports.js";
import { digits, doc, duration, fromGenerated, fromRuntime, strings } from "./print.js";

/** Emits `_events`: the events that services publish and consume. */
export function emitEvents(file: ContractFile, f: GeneratedFile, histories: Histories): void {
  for (const event of file.events) {
    const history = histories.get(event) ?? firstVersion;
    f.print();
    emitEvent(event, history, f);
    for (const upcast of history.upcasts) {
      f.print();
      emitUpcaster(event, history, upcast, f);
    }
  }
}

function emitEvent(event: Event, { version, formerNames, upcasts }: History, f: GeneratedFile): void {
  const { desc, exports, topic, key, partitions, retentionH } = event;
  f.print(doc(f, desc, behaviour(event)));
  f.print(f.export("const", exports.event), " = ", fromRuntime(f, "defineEvent", "events"), "({");
  f.print("  schema: ", f.importSchema(desc), ",");
  f.print("  codec: ", fromGenerated(f, codecExports(desc).codec, event.file, "_codec"), ",");
  f.print("  version: ", f.string(version), ",");
  if (formerNames.length > 0) f.print("  formerNames: ", strings(formerNames), ",");
  if (upcasts.length > 0) {
    f.print("  upcasts: [");
    for (const [index, { from, old, carries }] of upcasts.entries()) {
      const next = schemaAfter(event, upcasts, index, f);
      f.print("    {");
      f.print("      from: ", from, ",");
      f.print("      old: ", pastSchema(old, f), ",");
      f.print("      next: ", next, ",");
      f.print("      carries: [", carries.join(", "), "],");
      f.print("    },");
    }
    f.print("  ],");
  }
  f.print("  topic: ", f.string(topic), ",");
  if (key !== undefined) f.print("  key: (event) => ", asText(key), ",");
  f.print("  partitions: ", digits(partitions), ",");
  f.print("  retentionMs: ", digits(retentionH * 3_600_000), ",");
  f.print("});");
}

/** Emits the type of an upcaster. */
function emitUpcaster(event: Event, { upcasts }: History, upcast: Upcast, f: GeneratedFile): void {
  const { from, old, holes } = upcast;
  const { desc } = event;
  const next = schemaAfter(event, upcasts, upcasts.indexOf(upcast), f, true);
  f.print(
    f.jsDoc(
      `Converts ${desc.name} from version ${from} to version ${from + 1}. Fields with the same meaning in both are copied.\n\n@generated from ${desc.toString()}`,
    ),
  );
  f.print(f.export("type", upcasterExport(desc, from)), " = ", fromRuntime(f, "Upcaster", "events", true), "<");
  f.print("  typeof ", pastSchema(old, f, true), ",");
  f.print("  typeof ", next, ",");
  f.print("  ", holes.map((hole) => JSON.stringify(hole)).join(" | "));
  f.print(">;");
}

/** Returns the message of the version after an upcast. */
function schemaAfter(
  { desc }: Event,
  upcasts: readonly Upcast[],
  index: number,
  f: GeneratedFile,
  typeOnly = false,
): Printable {
  const next = upcasts[index + 1];
  return next === undefined ? f.importSchema(desc, typeOnly) : pastSchema(next.old, f, typeOnly);
}

function pastSchema({ name, file }: DescMessage, f: GeneratedFile, typeOnly = false): Printable {
  return fromGenerated(f, `${name}Schema`, file.name, "_pb", typeOnly);
}

/** Returns sentences about an event for its doc comment. */
function behaviour({ key, retentionH, isQueue }: Event): string[] {
  return [
    isQueue ? "A queue: one service consumes it." : "",
    key === undefined ? "Not ordered." : `Ordered per ${key.name}.`,
    `Kept for ${duration(retentionH * 3_600_000)}.`,
  ].filter((sentence) => sentence !== "");
}

function asText({ fieldKind, scalar, localName }: DescField): Printable {
  return fieldKind === "scalar" && scalar === ScalarType.STRING ? `event.${localName}` : `String(event.${localName})`;
}
