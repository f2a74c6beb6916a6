import { type DescField, ScalarType } from "@bufbuild/protobuf";
import type { GeneratedFile, Printable } from "@bufbuild/protoplugin";
import type { ContractFile, Event } from "../contract/contract.js";
import { codecExports } from "../contract/exports.js";
import { digits, doc, duration, fromGenerated, fromRuntime } from "./print.js";

/** `_events`: what is published and consumed. */
export function emitEvents(file: ContractFile, f: GeneratedFile): void {
  for (const event of file.events) {
    f.print();
    emitEvent(event, f);
  }
}

function emitEvent(event: Event, f: GeneratedFile): void {
  const { desc, exports, topic, key, partitions, retentionH } = event;
  f.print(doc(f, desc, behaviour(event)));
  f.print(f.export("const", exports.event), " = ", fromRuntime(f, "defineEvent", "events/event"), "({");
  f.print("  schema: ", f.importSchema(desc), ",");
  f.print("  codec: ", fromGenerated(f, codecExports(desc).codec, event.file, "_codec"), ",");
  f.print("  topic: ", f.string(topic), ",");
  if (key !== undefined) f.print("  key: (event) => ", asText(key), ",");
  f.print("  partitions: ", digits(partitions), ",");
  f.print("  retentionMs: ", digits(retentionH * 3_600_000), ",");
  f.print("});");
}

/** What the runtime does with an event, in words. */
function behaviour({ key, retentionH, isQueue }: Event): string[] {
  return [
    isQueue ? "A queue: one service consumes it." : "",
    key === undefined ? "In no order." : `In order for each ${key.name}.`,
    `Kept for ${duration(retentionH * 3_600_000)}.`,
  ].filter((sentence) => sentence !== "");
}

function asText({ fieldKind, scalar, localName }: DescField): Printable {
  return fieldKind === "scalar" && scalar === ScalarType.STRING ? `event.${localName}` : `String(event.${localName})`;
}
