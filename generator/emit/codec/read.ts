import { type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf";
import type { Printable } from "@bufbuild/protoplugin";
import { codecExports } from "../../contract/names/exports.js";
import { type CodecPrinter, holdingOf } from "./codec-printer.js";
import { GROUP, IMPLICIT, inherits, isText, LENGTH, scalarOf, tagOf, wireTypeOf } from "./scalar.js";

type MessageField = DescField & { readonly message: DescMessage };

/** Prints the function that decodes a message's fields. */
export function emitRead(message: DescMessage, printer: CodecPrinter): void {
  const { f } = printer;
  const { read, make } = codecExports(message);
  const shape = f.importShape(message);
  f.print(
    "/** Reads the fields of ",
    message.name,
    " up to `end` (of a group: its number, negated), into `before` if there is one. */",
  );
  const signature: Printable = ["(r: ", printer.type("Reader"), ", end: number, before?: ", shape, "): ", shape];
  f.print(f.export("function", read), signature, " {");
  f.print(`  const m = before ?? ${make}();`);
  f.print("  r.enter();");
  f.print("  for (let tag = r.tag(end); tag !== 0; tag = r.tag(end)) {");
  if (message.fields.length === 0) f.print("    r.unknown(tag, m);");
  else {
    f.print("    switch (tag) {");
    for (const field of message.fields) readField(field, printer);
    f.print("      default:");
    f.print("        r.unknown(tag, m);");
    f.print("    }");
  }
  f.print("  }");
  f.print("  r.leave();");
  f.print("  return m;");
  f.print("}");
}

/** Prints the function that creates an empty message, as `create` does. */
export function emitMake(message: DescMessage, printer: CodecPrinter): void {
  const { f } = printer;
  const { make } = codecExports(message);
  f.print("/** An empty ", message.name, ". */");
  f.print(f.export("function", make), "(): ", f.importShape(message), " {");
  const ofItsOwn = message.members.flatMap((member): Printable[][] => {
    if (member.kind === "oneof") return [[member.localName, "{ case: undefined }"]];
    if (member.fieldKind === "list") return [[member.localName, "[]"]];
    if (member.fieldKind === "map") return [[member.localName, "{}"]];
    if (member.fieldKind === "message" || member.presence !== IMPLICIT) return [];
    return [[member.localName, zeroOf(member, printer)]];
  });
  // The object has more properties than its literal, so TypeScript must not compare them.
  if (inherits(message) || message.fields.some(({ localName }) => localName in Object.prototype)) {
    f.print("  const m = ", printer.value("inherit"), "(", f.importSchema(message), ");");
    for (const [name, zero] of ofItsOwn) f.print("  m.", name!, " = ", zero!, ";");
    f.print("  return m;");
  } else if (ofItsOwn.length === 0) {
    f.print("  return { $typeName: ", f.string(message.typeName), " };");
  } else {
    f.print("  return {");
    f.print("    $typeName: ", f.string(message.typeName), ",");
    for (const [name, zero] of ofItsOwn) f.print("    ", name!, ": ", zero!, ",");
    f.print("  };");
  }
  f.print("}");
}

function zeroOf(field: DescField, printer: CodecPrinter): Printable {
  if (field.enum !== undefined) return String(field.enum.values[0]!.number);
  if (field.scalar === ScalarType.BYTES) return [printer.value("noBytes"), "()"];
  return isText(field) ? '"0"' : scalarOf(field.scalar).zero;
}

function readField(field: DescField, printer: CodecPrinter): void {
  const { f } = printer;
  const place = `m.${field.localName}`;
  const { oneof } = field;
  if (field.fieldKind === "list") {
    readList(field, place, printer);
    return;
  }
  const wireType = field.fieldKind === "map" ? LENGTH : wireTypeOf(field);
  f.print(`      case ${tagOf(field.number, wireType)}:`, isBlock(field) ? " {" : "");
  if (field.fieldKind === "map") readMap(field, place, printer);
  else if (oneof !== undefined) {
    const place = `m.${oneof.localName}`;
    const name = JSON.stringify(field.localName);
    if (field.message !== undefined) {
      f.print(`        const there = ${place}.case === ${name} ? ${place}.value : undefined;`);
    }
    readInto(field, "there", (value) => [`${place} = { case: ${name}, value: `, value, " };"], printer);
  } else {
    // A property that every object inherits is not a value of this one.
    const isOdd = field.message !== undefined && field.localName in Object.prototype;
    const before: Printable = isOdd ? [printer.value("own"), `(m, "${field.localName}")`] : place;
    readInto(field, before, (value) => [`${place} = `, value, ";"], printer);
  }
  f.print("        break;");
  if (isBlock(field)) f.print("      }");
}

/** Returns whether the code that decodes a field declares variables. */
function isBlock(field: DescField): boolean {
  if (field.fieldKind === "message") return field.oneof !== undefined;
  return field.fieldKind === "map" || (field.fieldKind === "enum" && !field.enum.open);
}

/** Prints the decoding of one value. A message that is set already gets the fields merged into it. */
function readInto(
  field: DescField,
  before: Printable,
  into: (value: Printable) => Printable,
  printer: CodecPrinter,
): void {
  const { f } = printer;
  if (field.fieldKind === "enum" && !field.enum.open) {
    f.print("        const value = r.int32();");
    const isKnown: Printable = [printer.value("knows"), "(", f.importSchema(field.enum), ", value)"];
    f.print("        if (", isKnown, ") ", into("value"));
    f.print("        else r.unknownEnum(tag, m);");
    return;
  }
  f.print(
    "        ",
    into(field.message === undefined ? scalar(field) : message(field as MessageField, printer, before)),
  );
}

function scalar(field: DescField): Printable {
  const read = `r.${readerOf(field.scalar, field)}()`;
  return isText(field) ? `\`\${${read}}\`` : read;
}

function readerOf(type: ScalarType | undefined, { utf8Validation }: DescField): string {
  return type === ScalarType.STRING && !utf8Validation ? "anyString" : scalarOf(type).method;
}

/** @param before the expression of the message into which fields are merged, if there may be one */
function message(field: MessageField, printer: CodecPrinter, before?: Printable): Printable {
  const end = field.delimitedEncoding ? `-${field.number}` : "r.length()";
  const more: Printable = before === undefined ? "" : [", ", before];
  switch (holdingOf(field)) {
    case "wrapped": {
      const empty = printer.of(field.message, "make");
      const wrapper: Printable = [printer.value("wrap"), "(", empty, "(), ", before!, ")"];
      return [printer.of(field.message, "read"), `(r, ${end}, `, wrapper, ").value"];
    }
    case "json":
      return [printer.value("readJsonObject"), `(r, ${end}`, more, ")"];
    case "message":
      return [printer.of(field.message, "read"), `(r, ${end}`, more, ")"];
    case "reflected":
      return [printer.value("readReflected"), "(r, ", printer.f.importSchema(field.message), `, ${end}`, more, ")"];
  }
}

/** Decodes packed and unpacked lists (https://protobuf.dev/programming-guides/encoding/#packed). */
function readList(field: DescField & { fieldKind: "list" }, place: string, printer: CodecPrinter): void {
  const { f } = printer;
  const value = field.message === undefined ? scalar(field) : message(field as MessageField, printer);
  const one: Printable = [`${place}.push(`, value, ");"];
  f.print(`      case ${tagOf(field.number, wireTypeOf(field))}:`);
  f.print("        ", one);
  f.print("        break;");
  if (wireTypeOf(field) === LENGTH || wireTypeOf(field) === GROUP) return;
  f.print(`      case ${tagOf(field.number, LENGTH)}:`);
  f.print("        for (const stop = r.length(); r.more(stop); ) ", one);
  f.print("        break;");
}

function readMap(field: DescField & { fieldKind: "map" }, place: string, printer: CodecPrinter): void {
  const { f } = printer;
  const readKey = `r.${readerOf(field.mapKey, field)}()`;
  const key = scalarOf(field.mapKey);
  const { zero: zeroKey } = key;
  // A property's name is a string, or a number.
  const isNumber = zeroKey === "0";
  const isText = field.mapKey === ScalarType.STRING;
  f.print("        const stop = r.entry();");
  f.print("        let key = ", isNumber || isText ? zeroKey : `"${zeroKey.replace("n", "")}"`, ";");
  f.print("        let value", startOf(field, printer), ";");
  f.print("        for (let entry = r.tag(stop); entry !== 0; entry = r.tag(stop)) {");
  f.print(
    `          if (entry === ${tagOf(1, key.wireType)}) key = `,
    isNumber || isText ? readKey : `\`\${${readKey}}\``,
    ";",
  );
  const readValue = field.message === undefined ? scalar(field) : message(field as MessageField, printer, "value");
  f.print(`          else if (entry === ${tagOf(2, wireTypeOf(field))}) value = `, readValue, ";");
  f.print("          else r.skip(entry);");
  f.print("        }");
  const value = orEmpty(field, printer);
  if (isText) f.print("        ", printer.value("put"), `(${place}, key, `, value, ");");
  else f.print(`        ${place}[key] = `, value, ";");
}

function startOf(field: DescField & { fieldKind: "map" }, printer: CodecPrinter): Printable {
  const { f } = printer;
  if (field.message === undefined) {
    const type: Printable = field.enum === undefined ? "" : ": number";
    return [type, " = ", zeroOf(field, printer)];
  }
  if (holdingOf(field as MessageField) !== "json") return [": ", f.importShape(field.message), " | undefined"];
  return [": ", f.import("JsonObject", "@bufbuild/protobuf", true), " | undefined"];
}

/** Returns the value of a map entry, or the default of a missing one. */
function orEmpty(field: DescField & { fieldKind: "map" }, printer: CodecPrinter): Printable {
  if (field.message === undefined) return "value";
  switch (holdingOf(field as MessageField)) {
    case "json":
      return "value ?? {}";
    case "reflected":
      return [
        "value ?? ",
        printer.f.import("create", "@bufbuild/protobuf"),
        "(",
        printer.f.importSchema(field.message),
        ")",
      ];
    default:
      return ["value ?? ", printer.of(field.message, "make"), "()"];
  }
}
