import type { DescMessage } from "@bufbuild/protobuf";
import { nestedTypes } from "@bufbuild/protobuf/reflect";
import type { GeneratedFile, Printable } from "@bufbuild/protoplugin";
import type { ContractFile, Service } from "../contract/contract.js";
import { codecExports } from "../contract/names/exports.js";
import { codecHome } from "../contract/vendored.js";
import { CodecPrinter } from "./codec/codec-printer.js";
import { emitMake, emitRead } from "./codec/read.js";
import { emitWrite } from "./codec/write.js";

/** Returns whether a file has messages to encode. */
export function hasCodecs({ desc, services }: ContractFile): boolean {
  return desc.messages.length > 0 || services.length > 0;
}

/** Emits `_codec`: functions that encode and decode messages, field by field, without their descriptors. */
export function emitCodec(file: ContractFile, f: GeneratedFile): void {
  const printer = new CodecPrinter(f, file.path);
  for (const desc of nestedTypes(file.desc)) if (desc.kind === "message") emitMessage(desc, printer);
  for (const service of file.services) emitService(service, printer);
}

function emitMessage(message: DescMessage, printer: CodecPrinter): void {
  const { f } = printer;
  const { codec, write, read } = codecExports(message);
  const schema = f.importSchema(message);
  f.print();
  f.print(f.jsDoc(`${message.name} as bytes, and back.\n\n@generated from ${message}`));
  const type: Printable = [printer.type("Codec"), "<typeof ", schema, ">"];
  f.print(f.export("const", codec), ": ", type, " = /*@__PURE__*/ ", printer.value("defineCodec"), "(");
  for (const argument of [schema, write, read]) f.print("  ", argument, ",");
  f.print(");");
  f.print();
  emitWrite(message, printer);
  f.print();
  emitRead(message, printer);
  f.print();
  emitMake(message, printer);
}

/** The codecs are grouped by service: a service and its clients use no others. */
function emitService({ desc, exports, entities }: Service, printer: CodecPrinter): void {
  const { f } = printer;
  const carried = desc.methods.flatMap(({ input, output }) => [input, output]);
  const messages = [...new Set([...carried, ...entities.map((entity) => entity.desc)])];
  const codecs = messages.filter((message) => codecHome(message.file.name) !== undefined);
  f.print();
  f.print(f.jsDoc(`The codecs of ${desc.name}'s requests, responses and entities.\n\n@generated from ${desc}`));
  const start: Printable[] = [f.export("const", exports.codecs), ": readonly ", printer.type("Codec"), "[] = ["];
  f.print(start, codecs.length === 0 ? "];" : "");
  for (const message of codecs) f.print("  ", printer.of(message, "codec"), ",");
  if (codecs.length > 0) f.print("];");
}
