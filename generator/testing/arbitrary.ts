import {
  create,
  type DescField,
  type DescMessage,
  type DescOneof,
  fromJson,
  type JsonValue,
  type MessageInitShape,
  type MessageShape,
  ScalarType,
} from "@bufbuild/protobuf";
import { isWrapperDesc, ListValueSchema, ValueSchema } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";

/**
 * Random messages of a type, with what a database and ProtoJSON can keep: texts without U+0000, instants in whole
 * microseconds, no NaN (which equals nothing).
 */
export function arbitraryMessage<D extends DescMessage>(schema: D): fc.Arbitrary<MessageShape<D>> {
  const special = wellKnown[schema.typeName];
  if (special !== undefined) return special as fc.Arbitrary<MessageShape<D>>;
  // Messages may hold themselves.
  const known = messages.get(schema);
  if (known !== undefined) return known as fc.Arbitrary<MessageShape<D>>;
  const fields = () =>
    fc
      .record(
        Object.fromEntries(
          schema.members.map((member) => [
            member.localName,
            member.kind === "oneof" ? arbitraryOneof(member) : arbitraryField(member),
          ]),
        ),
        { requiredKeys: [] },
      )
      .map((init) => create(schema, init as MessageInitShape<D>));
  let built: fc.Arbitrary<MessageShape<D>> | undefined;
  const later = fc.constant(undefined).chain(() => {
    built ??= fields();
    return built;
  });
  messages.set(schema, later);
  return later;
}

const messages = new WeakMap<DescMessage, fc.Arbitrary<unknown>>();

function arbitraryOneof(oneof: DescOneof): fc.Arbitrary<unknown> {
  const cases = oneof.fields.map((field) => {
    // A wrapper is what it wraps only outside of a oneof.
    const value = field.fieldKind === "message" ? arbitraryMessage(field.message) : arbitraryField(field);
    return value.map((held) => ({ case: field.localName, value: held }));
  });
  return fc.oneof(fc.constant({ case: undefined }), ...cases);
}

function arbitraryField(field: DescField): fc.Arbitrary<unknown> {
  switch (field.fieldKind) {
    case "scalar":
      return arbitraryScalar(field.scalar);
    case "enum":
      // An open enum keeps numbers that it has no name for.
      return fc.constantFrom(...field.enum.values.map((value) => value.number), ...(field.enum.open ? [4711, -1] : []));
    case "message":
      // protobuf-es holds these as what they wrap.
      return isWrapperDesc(field.message) ? arbitraryField(field.message.fields[0]!) : arbitraryMessage(field.message);
    case "list":
      return fc.array(arbitraryElement(field.listKind, field), { maxLength: 3, depthIdentifier: "message" });
    case "map":
      return fc
        .array(fc.tuple(arbitraryScalar(field.mapKey), arbitraryElement(field.mapKind, field)), { maxLength: 3 })
        .map((entries) => Object.fromEntries(entries.map(([key, value]) => [String(key), value])));
  }
}

function arbitraryElement(kind: "scalar" | "enum" | "message", field: DescField): fc.Arbitrary<unknown> {
  if (kind === "message") return arbitraryMessage(field.message!);
  if (kind === "enum") return fc.constantFrom(...field.enum!.values.map((value) => value.number));
  return arbitraryScalar(field.scalar!);
}

const text = fc
  .string({ unit: "grapheme", maxLength: 20 })
  .map((value) => value.replaceAll("\0", "").replaceAll("__proto__", ""));

function arbitraryScalar(type: ScalarType): fc.Arbitrary<unknown> {
  switch (type) {
    case ScalarType.STRING:
      return text;
    case ScalarType.BOOL:
      return fc.boolean();
    case ScalarType.BYTES:
      return fc.uint8Array({ maxLength: 20 });
    case ScalarType.FLOAT:
      return fc.float({ noNaN: true });
    case ScalarType.DOUBLE:
      return fc.double({ noNaN: true });
    case ScalarType.INT32:
    case ScalarType.SINT32:
    case ScalarType.SFIXED32:
      return fc.integer();
    case ScalarType.UINT32:
    case ScalarType.FIXED32:
      return fc.nat({ max: 0xffff_ffff });
    case ScalarType.INT64:
    case ScalarType.SINT64:
    case ScalarType.SFIXED64:
      return fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
    case ScalarType.UINT64:
    case ScalarType.FIXED64:
      return fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
  }
}

const something = fc.oneof(text, fc.boolean(), fc.integer(), fc.array(text, { maxLength: 3 }));
const value = fc.oneof(something, fc.constant(null)) as fc.Arbitrary<JsonValue>;

const wellKnown: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
  "google.protobuf.Timestamp": fc
    .tuple(fc.bigInt({ min: -62_135_596_800n, max: 253_402_300_799n }), fc.nat({ max: 999_999 }))
    .map(([seconds, micros]) => ({ $typeName: "google.protobuf.Timestamp", seconds, nanos: micros * 1000 })),
  "google.protobuf.Duration": fc
    .tuple(fc.nat({ max: 1_000_000 }), fc.nat({ max: 999_999_999 }), fc.constantFrom(1, -1))
    .map(([seconds, nanos, sign]) => ({
      $typeName: "google.protobuf.Duration",
      seconds: BigInt(seconds * sign),
      nanos: nanos * sign,
    })),
  // A Value that is null is none, once it is read from a database.
  "google.protobuf.Value": something.map((json) => fromJson(ValueSchema, json)),
  "google.protobuf.ListValue": fc.array(value, { maxLength: 3 }).map((json) => fromJson(ListValueSchema, json)),
  "google.protobuf.FieldMask": fc
    .uniqueArray(fc.constantFrom("name", "unit_price", "a.b_c"))
    .map((paths) => ({ $typeName: "google.protobuf.FieldMask", paths })),
  "google.protobuf.Struct": fc.dictionary(text, value, { maxKeys: 4, noNullPrototype: true }),
};
