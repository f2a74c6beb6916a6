import { type DescField, type DescMessage, type DescOneof, ScalarType } from "@bufbuild/protobuf";
import type { Printable } from "@bufbuild/protoplugin";
import { codecExports } from "../../contract/names/exports.js";
import { type CodecPrinter, holdingOf } from "./codec-printer.js";
import { IMPLICIT, inherits, isInherited, isText, REQUIRED, scalarOf } from "./scalar.js";

/** The number of fields that one function encodes. TypeScript fails on a function with some thousand conditions (TS2563). */
const FIELDS = 200;

/**
 * Prints the function that encodes a message's fields, in the order of their numbers, as protobuf-es does: one function,
 * or several for a message with very many fields.
 */
export function emitWrite(message: DescMessage, printer: CodecPrinter): void {
  const { f } = printer;
  const { write } = codecExports(message);
  const parameters: Printable = [
    "(w: ",
    printer.type("Writer"),
    ", m: ",
    printer.type("Init"),
    "<typeof ",
    f.importSchema(message),
    ">): void {",
  ];
  const fields = message.fields.toSorted((a, b) => a.number - b.number);
  const isLong = fields.length > FIELDS;
  // Names in contracts contain no $.
  const parts = isLong ? Array.from({ length: Math.ceil(fields.length / FIELDS) }, (_, at) => `${write}$${at}`) : [];
  f.print("/** Writes the fields of ", message.name, ". */");
  f.print(f.export("function", write), parameters);
  if (isLong) for (const part of parts) f.print("  ", part, "(w, m);");
  else writeFields(fields, printer);
  f.print("  if (m.$unknown !== undefined) w.unknown(m, ", f.string(message.typeName), ");");
  f.print("}");
  for (const [at, part] of parts.entries()) {
    f.print();
    f.print("function ", part, parameters);
    writeFields(fields.slice(at * FIELDS, (at + 1) * FIELDS), printer);
    f.print("}");
  }
}

function writeFields(fields: readonly DescField[], printer: CodecPrinter): void {
  fields.forEach((field, at) => {
    const { oneof } = field;
    if (oneof === undefined) writeField(field, printer);
    // Consecutive members of a oneof share a switch. Other members may follow later.
    else if (fields[at - 1]?.oneof !== oneof) {
      const end = fields.findIndex((other, place) => place > at && other.oneof !== oneof);
      writeOneof(oneof, fields.slice(at, end < 0 ? undefined : end), printer);
    }
  });
}

function writeOneof({ localName }: DescOneof, fields: readonly DescField[], printer: CodecPrinter): void {
  const { f } = printer;
  f.print(`  switch (m.${localName}?.case) {`);
  for (const field of fields) {
    const lines = singular(field, `m.${localName}.value`, printer);
    f.print("    case ", f.string(field.localName), lines.length === 1 ? ":" : ": {");
    for (const line of lines) f.print("      ", line);
    f.print("      break;");
    if (lines.length > 1) f.print("    }");
  }
  f.print("  }");
}

function writeField(field: DescField, printer: CodecPrinter): void {
  const { f } = printer;
  const { localName: name } = field;
  // A property that every object inherits is read only if it is the message's own.
  const isOdd = name in Object.prototype;
  const value: Printable = isOdd ? [printer.value("own"), `(m, "${name}")`] : `m.${name}`;
  // TypeScript does not infer that the value is set.
  const there: Printable = isOdd || (isInherited(field) && inherits(field.parent)) ? [value, "!"] : value;
  if (field.fieldKind === "list") writeList(field, value, there, printer);
  else if (field.fieldKind === "map") writeMap(field, value, printer);
  else {
    if (field.presence === REQUIRED) {
      const isMissing: Printable = field.message ? [value, " == null"] : ["!", isSet(field, value, printer)];
      f.print("  if (", isMissing, `) w.missing("${field.parent.typeName}.${field.name}");`);
    }
    block(["if (", isSet(field, value, printer), ")"], singular(field, there, printer), printer);
  }
}

/** Prints one statement after its condition, or several in a block. */
function block(head: Printable, lines: readonly Printable[], { f }: CodecPrinter): void {
  const [only] = lines;
  if (lines.length === 1) f.print("  ", head, " ", only!);
  else {
    f.print("  ", head, " {");
    for (const line of lines) f.print("    ", line);
    f.print("  }");
  }
}

/** Returns the condition that a singular field is set. */
function isSet(field: DescField, value: Printable, printer: CodecPrinter): Printable {
  if (field.fieldKind === "message") return [value, " != null"];
  if (field.presence !== IMPLICIT) {
    return isInherited(field) && inherits(field.parent)
      ? [printer.value("has"), `(m, "${field.localName}")`]
      : [value, " != null"];
  }
  return isNotZero(field, value, printer);
}

function isNotZero(field: DescField, value: Printable, printer: CodecPrinter): Printable {
  if (field.enum !== undefined) return [value, " != null && ", value, ` !== ${field.enum.values[0]!.number}`];
  switch (field.scalar) {
    case ScalarType.STRING:
    case ScalarType.BOOL:
      return value;
    case ScalarType.BYTES:
      return [value, "?.length"];
    // -0 is not the default.
    case ScalarType.DOUBLE:
    case ScalarType.FLOAT:
      return [value, " != null && (", value, " !== 0 || 1 / ", value, " < 0)"];
    case ScalarType.INT64:
    case ScalarType.UINT64:
    case ScalarType.FIXED64:
    case ScalarType.SFIXED64:
    case ScalarType.SINT64:
      return isText(field) ? [value, " != null && !", printer.value("isZero"), "(", value, ")"] : value;
    default:
      // NaN is rejected rather than left out.
      return [value, " != null && ", value, " !== 0"];
  }
}

/** Prints the encoding of one value with its tag. */
function singular(field: DescField, value: Printable, printer: CodecPrinter, number = field.number): Printable[] {
  if (field.message === undefined) {
    const { method, wireType } = scalarOf(field.scalar);
    return [[`w.tag(${number}, ${wireType}).${method}(`, value, ");"]];
  }
  const lines = content(field as DescField & { message: DescMessage }, value, printer);
  if (field.delimitedEncoding) return [`w.tag(${number}, 3);`, ...lines, `w.tag(${number}, 4);`];
  const open: Printable = holdingOf(field as DescField & { message: DescMessage }) === "wrapped" ? "" : [", ", value];
  return [[`const at = w.open(${number}`, open, ");"], ...lines, "w.close(at);"];
}

function content(field: DescField & { message: DescMessage }, value: Printable, printer: CodecPrinter): Printable[] {
  const { message } = field;
  switch (holdingOf(field)) {
    case "wrapped":
      return [[printer.of(message, "write"), "(w, { value: ", value, " });"]];
    case "json":
      return [[printer.value("writeJsonObject"), "(w, ", value, ");"]];
    case "message":
      return [[printer.of(message, "write"), "(w, ", value, ");"]];
    case "reflected":
      return [[printer.value("writeReflected"), "(w, ", printer.f.importSchema(message), ", ", value, ");"]];
  }
}

function writeList(field: DescField, value: Printable, there: Printable, printer: CodecPrinter): void {
  if ("packed" in field && field.packed) {
    const { method } = scalarOf(field.scalar);
    const each: Printable = ["for (const each of ", there, `) w.${method}(each);`];
    block(["if (", value, "?.length)"], [`const at = w.open(${field.number});`, each, "w.close(at);"], printer);
  } else block(["for (const each of ", value, " ?? [])"], singular(field, "each", printer), printer);
}

function writeMap(field: DescField & { fieldKind: "map" }, value: Printable, printer: CodecPrinter): void {
  const { f } = printer;
  const key = scalarOf(field.mapKey);
  f.print("  for (const [key, value] of ", printer.value("entries"), "(", value, ")) {");
  f.print(`    const entry = w.open(${field.number});`);
  f.print(`    w.tag(1, ${key.wireType}).${key.method}(`, keyOf(field.mapKey, printer), ");");
  for (const line of singular(field, "value", printer, 2)) f.print("    ", line);
  f.print("    w.close(entry);");
  f.print("  }");
}

/** Returns the map key of a property's name. 64-bit keys are encoded from strings. */
function keyOf(type: ScalarType, printer: CodecPrinter): Printable {
  switch (type) {
    case ScalarType.BOOL:
      return [printer.value("boolKey"), "(key)"];
    case ScalarType.INT32:
    case ScalarType.SINT32:
    case ScalarType.SFIXED32:
    case ScalarType.UINT32:
    case ScalarType.FIXED32:
      return [printer.value("numberKey"), "(key)"];
    default:
      return "key";
  }
}
