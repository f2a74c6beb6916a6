import {
  create,
  type DescField,
  type DescMessage,
  fromJson,
  type Message,
  ScalarType,
  toBinary,
} from "@bufbuild/protobuf";
import { type ReflectMessage, reflect } from "@bufbuild/protobuf/reflect";
import {
  anyPack,
  FeatureSet_FieldPresence,
  ListValueSchema,
  StructSchema,
  TimestampSchema,
  ValueSchema,
} from "@bufbuild/protobuf/wkt";

/** The depth to which recursive messages are filled. Fields that must be set are filled twice as deep. */
const DEEPEST = 4;

/** The index of the value that each field gets. Types with fewer values repeat them. */
type Choice = number;

/**
 * Returns encoded sample messages of a type: with nothing set; with everything set, once for each member of the largest
 * oneof or value of the largest enum; and with values at the ends of their ranges. The same shape gives the same samples.
 */
export function samplesOf(message: DescMessage): Readonly<Record<string, Uint8Array>> {
  const samples: Record<string, Uint8Array> = {};
  const add = (name: string, sample: Message) => {
    try {
      samples[name] = toBinary(message, sample);
    } catch {
      // A required field is missing: the empty message is invalid, and a message that requires itself has no valid value.
    }
  };
  const choices = Math.min(MOST, Math.max(VALUES, widest(message)));
  for (let choice = 0; choice < choices; choice++) add(`full ${choice + 1}`, fill(message, choice, 0).message);
  add("empty", create(message));
  return samples;
}

/** The number of sample values per scalar type. */
const VALUES = 3;
/** Stands for all values of an enum. */
const MOST = 100;

/** Returns the number of alternatives of the largest oneof or enum in a message. */
function widest(root: DescMessage): number {
  const seen = new Set([root]);
  let most = 0;
  for (const { fields, oneofs } of seen) {
    for (const { fields: members } of oneofs) most = Math.max(most, members.length);
    for (const field of fields) {
      if (field.enum !== undefined) most = Math.max(most, field.enum.values.length);
      if (field.message !== undefined && !isFixed(field.message)) seen.add(field.message);
    }
  }
  return most;
}

function fill(message: DescMessage, choice: Choice, depth: number): ReflectMessage {
  const fixed = fixedValues[message.typeName]?.(choice);
  const filled = reflect(message, fixed);
  if (fixed !== undefined) return filled;
  for (const member of message.members) {
    set(filled, member.kind === "oneof" ? member.fields[choice % member.fields.length]! : member, choice, depth);
  }
  return filled;
}

function set(target: ReflectMessage, field: DescField, choice: Choice, depth: number): void {
  const isRequired = field.presence === FeatureSet_FieldPresence.LEGACY_REQUIRED;
  if (field.message !== undefined && depth >= (isRequired ? 2 * DEEPEST : DEEPEST)) return;
  const one = (at: Choice) => {
    if (field.message !== undefined) return fill(field.message, at, depth + 1);
    if (field.enum !== undefined) return field.enum.values[at % field.enum.values.length]!.number;
    return scalarValue(field.scalar as ScalarType, at);
  };
  if (field.fieldKind === "list") {
    for (const at of [choice, choice + 1]) target.get(field).add(one(at));
  } else if (field.fieldKind === "map") {
    for (const at of [choice, choice + 1]) target.get(field).set(scalarValue(field.mapKey, at) as MapKey, one(at));
  } else target.set(field, one(choice));
}

type MapKey = string | number | bigint | boolean;

const struct = {
  text: "Zażółć",
  number: -1.5,
  truth: true,
  nothing: null,
  list: [1, "two", {}],
  inner: { deep: "🦊" },
};

/** Samples of well-known types whose fields have a restricted range. */
const fixedValues: Readonly<Record<string, (choice: Choice) => Message>> = {
  "google.protobuf.Timestamp": (choice) =>
    create(
      TimestampSchema,
      [
        { seconds: 1_735_689_600n, nanos: 123_456_789 },
        { seconds: -62_135_596_800n, nanos: 0 },
        { seconds: 253_402_300_799n, nanos: 999_999_999 },
      ][choice % 3]!,
    ),
  "google.protobuf.Any": () => anyPack(TimestampSchema, create(TimestampSchema, { seconds: 1n })),
  "google.protobuf.Struct": () => fromJson(StructSchema, struct),
  "google.protobuf.Value": () => fromJson(ValueSchema, struct),
  "google.protobuf.ListValue": () => fromJson(ListValueSchema, struct.list),
};

function isFixed({ typeName }: DescMessage): boolean {
  return Object.hasOwn(fixedValues, typeName);
}

/** A usual value, the least and the greatest. None is the default value. */
function scalarValue(type: ScalarType, choice: Choice): unknown {
  const pick = <T>(...values: readonly [T, T, T]): T => values[choice % VALUES]!;
  switch (type) {
    case ScalarType.STRING:
      return pick("a", "Zażółć gęślą jaźń 🦊 שלום e\u0301\u0000", "\u{10ffff}".repeat(33));
    case ScalarType.BYTES:
      return pick(
        Uint8Array.of(1),
        Uint8Array.of(0),
        Uint8Array.from({ length: 130 }, (_, index) => index),
      );
    case ScalarType.BOOL:
      return true;
    case ScalarType.DOUBLE:
      return pick(0.1, -Number.MAX_VALUE, Number.POSITIVE_INFINITY);
    case ScalarType.FLOAT:
      return pick(0.5, -3.4028234663852886e38, Number.POSITIVE_INFINITY);
    case ScalarType.INT32:
    case ScalarType.SINT32:
    case ScalarType.SFIXED32:
      return pick(1, -(2 ** 31), 2 ** 31 - 1);
    case ScalarType.UINT32:
    case ScalarType.FIXED32:
      return pick(1, 128, 2 ** 32 - 1);
    case ScalarType.INT64:
    case ScalarType.SINT64:
    case ScalarType.SFIXED64:
      return pick(1n, -(2n ** 63n), 2n ** 63n - 1n);
    case ScalarType.UINT64:
    case ScalarType.FIXED64:
      return pick(1n, 2n ** 32n, 2n ** 64n - 1n);
  }
}
