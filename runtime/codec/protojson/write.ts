import {
  type DescEnum,
  type DescExtension,
  type DescField,
  type DescMessage,
  getExtension,
  type JsonValue,
  type Message,
  type Registry,
  ScalarType,
  toJson,
} from "@bufbuild/protobuf";
import {
  type Any,
  type Duration,
  DurationSchema,
  FeatureSet_FieldPresence,
  type FieldMask,
  FieldMaskSchema,
  isWrapperDesc,
  type ListValue,
  type Struct,
  type Timestamp,
  TimestampSchema,
  type Value,
} from "@bufbuild/protobuf/wkt";
import { EncodeError } from "../encode-error.js";
import { isJsonField } from "../field.js";
import { codecOf } from "../known.js";
import { LoneSurrogateError } from "../lone-surrogate.js";
import { short } from "./fault.js";
import { ranges, wholeNumber } from "./number.js";

/** Options of the ProtoJSON writer. */
export interface JsonWriteOptions {
  /** Whether to write fields without presence that have their default. Default: false. */
  readonly alwaysEmitImplicit?: boolean;
  /** The types that a google.protobuf.Any may hold, and the known extensions. */
  readonly registry?: Registry;
  /**
   * Whether the JSON is for a database row: enums are numbers, so that their names can change, and -0 is quoted, because PostgreSQL's
   * jsonb does not have it. Default: false.
   */
  readonly stored?: boolean;
}

/** The approximate length of one piece in characters. */
const PIECE = 64 * 1024;
/** Longer strings and bytes are split. The size for bytes is a multiple of 3, so that base64 has no padding in between. */
const LONG_TEXT = 32 * 1024;
const LONG_BYTES = 48 * 1024;

/** Returns a message, or one of its fields, in ProtoJSON: all pieces of `JsonPieces` in one text. */
export function jsonOf(desc: DescMessage, message: Message, options?: JsonWriteOptions, field?: DescField): string {
  const pieces = new JsonPieces(desc, message, options, field);
  let text = pieces.next();
  while (!pieces.isDone) text += pieces.next();
  return text;
}

/**
 * Writes a message as ProtoJSON in pieces. The text is that of protobuf-es's `toJsonString`, but no piece is much longer than 64 Ki
 * characters, so the event loop can run between two pieces. The state is a stack on the heap, so the cost of a piece is proportional
 * to its length. Unlike protobuf-es, it writes -0 with its sign, as other implementations do, keeps the key `__proto__`, and refuses
 * values that a field's type cannot hold.
 */
export class JsonPieces {
  /** The piece being written. */
  text = "";
  readonly #stack: Step[] = [];

  constructor(
    desc: DescMessage,
    message: Message,
    readonly options: JsonWriteOptions = {},
    /** Instead of the message: one of its fields, or null if the message's JSON does not have it. */
    field?: DescField,
  ) {
    if (field === undefined) this.#push(writeMessage(this, desc, message));
    else {
      const plan = planOf(desc).find((each) => each.field === field) as FieldPlan;
      const fields = message as Message & Fields;
      if (isWritten(plan, fields, options)) this.#push(plan.write(this, valueIn(plan, fields)));
      else this.text = "null";
    }
  }

  /** Whether `next` has returned the last piece. */
  get isDone(): boolean {
    return this.#stack.length === 0 && this.text === "";
  }

  /** Returns the next piece; the last may be empty. Throws an Error if a value has no JSON form. */
  next(): string {
    const stack = this.#stack;
    while (this.text.length < PIECE) {
      const top = stack.at(-1);
      if (top === undefined) break;
      const step = top.step(this);
      if (step === undefined) stack.pop();
      else if (step !== top) stack.push(step);
    }
    const piece = this.text;
    this.text = "";
    return piece;
  }

  #push(step: Step | undefined): void {
    if (step !== undefined) this.#stack.push(step);
  }
}

/** A value that is not yet completely written. */
interface Step {
  /** Continues. Returns the value to write before it can continue, itself if the piece is full, or undefined at its end. */
  step(pieces: JsonPieces): Step | undefined;
}

/** Writes a value, or starts it: a returned task is to run next. */
type Write<T> = (pieces: JsonPieces, value: T) => Step | undefined;

/** A message of any type. */
type Fields = Readonly<Record<string, unknown>> & Pick<Message, "$unknown">;

interface FieldPlan {
  readonly field: DescField;
  /** `"totalCents":` */
  readonly name: string;
  readonly write: Write<unknown>;
}

const plans = new WeakMap<DescMessage, readonly FieldPlan[]>();

function planOf(desc: DescMessage): readonly FieldPlan[] {
  let plan = plans.get(desc);
  if (plan === undefined) {
    const fields = [...desc.fields].sort((a, b) => a.number - b.number);
    plan = fields.map((field) => ({ field, name: `${JSON.stringify(field.jsonName)}:`, write: writerOf(field) }));
    plans.set(desc, plan);
  }
  return plan;
}

function valueIn({ field }: FieldPlan, message: Fields): unknown {
  if (field.oneof === undefined) return message[field.localName];
  return (message[field.oneof.localName] as { value?: unknown }).value;
}

/** Returns whether to write a field: it is set, or has no presence and defaults are requested. */
function isWritten({ field }: FieldPlan, message: Fields, { alwaysEmitImplicit }: JsonWriteOptions): boolean {
  const { localName: name, presence, oneof } = field;
  if (oneof !== undefined) return (message[oneof.localName] as { case?: string }).case === name;
  const value = message[name];
  if (presence !== FeatureSet_FieldPresence.IMPLICIT) {
    // An explicit default is on the prototype.
    if (value !== undefined && Object.hasOwn(message, name)) return true;
    if (presence !== FeatureSet_FieldPresence.LEGACY_REQUIRED) return false;
    throw new Error(`cannot encode ${field} to JSON: required field not set`);
  }
  if (alwaysEmitImplicit) return true;
  switch (field.fieldKind) {
    case "list":
      return (value as unknown[]).length > 0;
    case "map":
      return Object.keys(value as object).length > 0;
    case "enum":
      return value !== field.enum.values[0]?.number;
    case "scalar":
      return !isZero(field.scalar, value);
    default:
      return value !== undefined;
  }
}

/** Returns the default of a scalar without presence. -0 is not the default of a float: its bits differ. */
function isZero(type: ScalarType, value: unknown): boolean {
  switch (type) {
    case ScalarType.STRING:
      return value === "";
    case ScalarType.BYTES:
      return value instanceof Uint8Array && value.length === 0;
    case ScalarType.BOOL:
      return value === false;
    case ScalarType.FLOAT:
    case ScalarType.DOUBLE:
      return Object.is(value, 0);
    default:
      return value === 0 || value === 0n || value === "0";
  }
}

// ------------------------------------------------------------------------------------------------------------ messages

function writeMessage(pieces: JsonPieces, desc: DescMessage, message: Message, last = ""): Step | undefined {
  const wellKnown = wellKnownTypes[desc.typeName];
  if (wellKnown !== undefined) return wellKnown(pieces, message as never);
  if (isWrapperDesc(desc)) return planOf(desc)[0]?.write(pieces, (message as unknown as Fields).value);
  const fields = message as unknown as Fields;
  pieces.text += "{";
  return new MessageStep(planOf(desc), fields, extensionsOf(pieces, desc, message), last);
}

/** A member of a message's JSON that is not a field. */
interface Extension {
  readonly name: string;
  readonly value: unknown;
  readonly write: Write<unknown>;
}

/** Returns the extensions among a message's unknown fields. */
function extensionsOf(
  { options: { registry } }: JsonPieces,
  desc: DescMessage,
  message: Message,
): readonly Extension[] {
  if (registry === undefined || message.$unknown === undefined || !extended(registry).has(desc.typeName)) return [];
  const numbers = new Set(message.$unknown.map(({ no }) => no));
  return [...numbers].flatMap((number) => {
    const extension = registry.getExtensionFor(desc, number);
    if (extension === undefined) return [];
    const name = `${JSON.stringify(extension.jsonName)}:`;
    return [{ name, value: getExtension(message, extension), write: writerOf(asField(extension)) }];
  });
}

/** Writes an extension like a field. */
function asField(extension: DescExtension): DescField {
  return { ...extension, kind: "field", parent: extension.extendee, localName: extension.typeName } as never;
}

class MessageStep implements Step {
  #at = 0;
  #isFirst = true;

  constructor(
    private readonly plan: readonly FieldPlan[],
    private readonly message: Fields,
    private readonly extensions: readonly Extension[],
    /** A member after all others. */
    private readonly last: string,
  ) {}

  step(pieces: JsonPieces): Step | undefined {
    const { plan, message, extensions } = this;
    while (this.#at < plan.length + extensions.length) {
      if (pieces.text.length >= PIECE) return this;
      const at = this.#at++;
      const field = plan[at];
      if (field !== undefined && !isWritten(field, message, pieces.options)) continue;
      const { name, write } = field ?? (extensions[at - plan.length] as Extension);
      pieces.text += this.#isFirst ? name : `,${name}`;
      this.#isFirst = false;
      const value = field === undefined ? extensions[at - plan.length]?.value : valueIn(field, message);
      const inner = write(pieces, value);
      if (inner !== undefined) return inner;
    }
    pieces.text += this.last === "" ? "}" : `${this.#isFirst ? "" : ","}${this.last}}`;
    return undefined;
  }
}

class ListStep<T> implements Step {
  #at = 0;

  constructor(
    private readonly items: readonly T[],
    private readonly write: Write<T>,
  ) {}

  step(pieces: JsonPieces): Step | undefined {
    const { items, write } = this;
    while (this.#at < items.length) {
      if (pieces.text.length >= PIECE) return this;
      if (this.#at > 0) pieces.text += ",";
      const inner = write(pieces, items[this.#at++] as T);
      if (inner !== undefined) return inner;
    }
    pieces.text += "]";
    return undefined;
  }
}

class MapStep<T> implements Step {
  readonly #keys: readonly string[];
  #at = 0;

  constructor(
    private readonly map: Readonly<Record<string, T>>,
    private readonly write: Write<T>,
  ) {
    this.#keys = Object.keys(map);
  }

  step(pieces: JsonPieces): Step | undefined {
    const { map, write } = this;
    while (this.#at < this.#keys.length) {
      if (pieces.text.length >= PIECE) return this;
      const key = this.#keys[this.#at++] as string;
      if (!key.isWellFormed()) throw new LoneSurrogateError();
      pieces.text += `${this.#at > 1 ? "," : ""}${JSON.stringify(key)}:`;
      const inner = write(pieces, map[key] as T);
      if (inner !== undefined) return inner;
    }
    pieces.text += "}";
    return undefined;
  }
}

function list<T>(write: Write<T>): Write<readonly T[]> {
  return (pieces, items) => {
    pieces.text += "[";
    return new ListStep(items, write);
  };
}

function map<T>(write: Write<T>, checkKeys?: (map: object) => void): Write<Readonly<Record<string, T>>> {
  return (pieces, entries) => {
    checkKeys?.(entries);
    pieces.text += "{";
    return new MapStep(entries, write);
  };
}

/** Returns a validator for map keys of a type; undefined for strings, which may be any key. */
function keyCheck(field: DescField & { fieldKind: "map" }): ((map: object) => void) | undefined {
  const { mapKey } = field;
  if (mapKey === ScalarType.STRING) return undefined;
  const range = ranges[mapKey];
  const isKey = (key: string) =>
    range === undefined ? key === "true" || key === "false" : typeof wholeNumber(key, range) !== "string";
  return (map) => {
    for (const key of Object.keys(map)) if (!isKey(key)) throw unfit(field, key);
  };
}

// -------------------------------------------------------------------------------------------------------------- fields

function writerOf(field: DescField): Write<unknown> {
  switch (field.fieldKind) {
    case "scalar":
      return scalar(field, field.scalar);
    case "enum":
      return enumeration(field, field.enum);
    case "message":
      return singular(field);
    case "list":
      return list(
        field.listKind === "scalar"
          ? scalar(field, field.scalar)
          : field.listKind === "enum"
            ? enumeration(field, field.enum)
            : element(field, field.message),
      ) as Write<unknown>;
    case "map":
      return map(
        field.mapKind === "scalar"
          ? scalar(field, field.scalar)
          : field.mapKind === "enum"
            ? enumeration(field, field.enum)
            : element(field, field.message),
        keyCheck(field),
      ) as Write<unknown>;
  }
}

/** Returns whether a field holds the wrapped value: neither repeated nor in a oneof. */
function singular(field: DescField & { fieldKind: "message" }): Write<unknown> {
  const { message, oneof } = field;
  if (isWrapperDesc(message) && oneof === undefined) {
    const [value] = message.fields as [DescField & { fieldKind: "scalar" }];
    return scalar(value, value.scalar);
  }
  return element(field, message);
}

/** Returns whether a field holds a Struct as JSON, as all but that of a Value do. */
function element(field: DescField, desc: DescMessage): Write<unknown> {
  if (isJsonField(field)) return writeJson as Write<unknown>;
  return (pieces, message) => writeMessage(pieces, desc, message as Message);
}

function enumeration(field: DescField, desc: DescEnum): Write<unknown> {
  const isNull = desc.typeName === "google.protobuf.NullValue";
  return (pieces, value) => {
    if (typeof value !== "number" || (value | 0) !== value) throw unfit(field, value);
    const name = pieces.options.stored ? undefined : desc.value[value]?.name;
    pieces.text += isNull ? "null" : name === undefined ? String(value) : `"${name}"`;
    return undefined;
  };
}

/** Returns the error for a value that a field's type cannot hold. */
function unfit(field: DescField, value: unknown): EncodeError {
  const isShown = typeof value === "number" || typeof value === "bigint" || typeof value === "string";
  const shown = value === null ? "null" : isShown ? short(String(value)) : `a value of type ${typeof value}`;
  return new EncodeError(`cannot encode ${field} to JSON: ${shown} does not fit`);
}

const FLOAT32_MAX = 3.4028234663852886e38;

function scalar(field: DescField, type: ScalarType): Write<unknown> {
  const wrong = (value: unknown) => unfit(field, value);
  switch (type) {
    case ScalarType.STRING:
      return (pieces, value) => {
        if (typeof value !== "string") throw wrong(value);
        return writeString(pieces, value);
      };
    case ScalarType.BYTES:
      return (pieces, value) => {
        if (!(value instanceof Uint8Array)) throw wrong(value);
        return writeBytes(pieces, value);
      };
    case ScalarType.BOOL:
      return (pieces, value) => {
        if (typeof value !== "boolean") throw wrong(value);
        pieces.text += value ? "true" : "false";
        return undefined;
      };
    case ScalarType.FLOAT:
    case ScalarType.DOUBLE: {
      const most = type === ScalarType.FLOAT ? FLOAT32_MAX : Number.MAX_VALUE;
      return (pieces, value) => {
        if (typeof value !== "number" || (Number.isFinite(value) && Math.abs(value) > most)) throw wrong(value);
        pieces.text += Number.isFinite(value) ? numberText(pieces, value) : `"${value}"`;
        return undefined;
      };
    }
  }
  const range = ranges[type] as NonNullable<(typeof ranges)[ScalarType]>;
  if (range.isWide) {
    return (pieces, value) => {
      const whole = typeof value === "bigint" ? value : wideOf(value);
      if (whole === undefined || whole < range.least || whole > range.most) throw wrong(value);
      pieces.text += `"${whole}"`;
      return undefined;
    };
  }
  const [least, most] = [Number(range.least), Number(range.most)];
  return (pieces, value) => {
    if (typeof value !== "number" || !Number.isInteger(value) || value < least || value > most) throw wrong(value);
    pieces.text += String(value);
    return undefined;
  };
}

/** Returns a number or string as an integer, as 64-bit fields accept them; undefined if it is not one. */
function wideOf(value: unknown): bigint | undefined {
  const isWhole = typeof value === "string" ? /^-?[0-9]+$/.test(value) : Number.isInteger(value);
  return isWhole ? BigInt(value as string | number) : undefined;
}

/** Writes -0, which JavaScript prints as 0. */
function numberText({ options }: JsonPieces, value: number): string {
  if (!Object.is(value, -0)) return String(value);
  return options.stored ? '"-0"' : "-0";
}

function writeString(pieces: JsonPieces, value: string): Step | undefined {
  if (!value.isWellFormed()) throw new LoneSurrogateError();
  if (value.length > LONG_TEXT) {
    pieces.text += '"';
    return new StringStep(value);
  }
  pieces.text += JSON.stringify(value);
  return undefined;
}

class StringStep implements Step {
  #at = 0;

  constructor(private readonly value: string) {}

  step(pieces: JsonPieces): Step | undefined {
    const { value } = this;
    let end = this.#at + LONG_TEXT;
    // Do not split a surrogate pair: its halves would be escaped.
    if (end < value.length && (value.charCodeAt(end - 1) & 0xfc00) === 0xd800) end++;
    pieces.text += JSON.stringify(value.slice(this.#at, end)).slice(1, -1);
    this.#at = end;
    if (end < value.length) return this;
    pieces.text += '"';
    return undefined;
  }
}

function writeBytes(pieces: JsonPieces, value: Uint8Array): Step | undefined {
  pieces.text += '"';
  if (value.length > LONG_BYTES) return new BytesStep(value);
  pieces.text += `${base64(value, 0, value.length)}"`;
  return undefined;
}

class BytesStep implements Step {
  #at = 0;

  constructor(private readonly value: Uint8Array) {}

  step(pieces: JsonPieces): Step | undefined {
    const { value } = this;
    const end = Math.min(this.#at + LONG_BYTES, value.length);
    pieces.text += base64(value, this.#at, end);
    this.#at = end;
    if (end < value.length) return this;
    pieces.text += '"';
    return undefined;
  }
}

function base64({ buffer, byteOffset }: Uint8Array, start: number, end: number): string {
  return Buffer.from(buffer, byteOffset + start, end - start).toString("base64");
}

// --------------------------------------------------------------------------------------------------- well-known types

const plain = (pieces: JsonPieces, desc: DescMessage, message: Message) => {
  pieces.text += JSON.stringify(toJson(desc, message));
  return undefined;
};

const wellKnownTypes: Readonly<Record<string, Write<never> | undefined>> = Object.assign(Object.create(null), {
  "google.protobuf.Any": writeAny,
  "google.protobuf.Timestamp": (pieces: JsonPieces, value: Timestamp) => plain(pieces, TimestampSchema, value),
  "google.protobuf.Duration": (pieces: JsonPieces, value: Duration) => plain(pieces, DurationSchema, value),
  "google.protobuf.FieldMask": (pieces: JsonPieces, value: FieldMask) => plain(pieces, FieldMaskSchema, value),
  "google.protobuf.Struct": (pieces: JsonPieces, { fields }: Struct) => map(writeValue)(pieces, fields),
  "google.protobuf.Value": writeValue,
  "google.protobuf.ListValue": (pieces: JsonPieces, { values }: ListValue) => list(writeValue)(pieces, values),
});

function writeAny(pieces: JsonPieces, any: Any): Step | undefined {
  if (any.typeUrl === "") {
    pieces.text += "{}";
    return undefined;
  }
  const desc = pieces.options.registry?.getMessage(any.typeUrl.slice(any.typeUrl.lastIndexOf("/") + 1));
  if (desc === undefined) {
    throw new Error(`cannot encode message ${any.$typeName} to JSON: "${any.typeUrl}" is not in the type registry`);
  }
  // The message is this service's own, not untrusted input: its size needs no limit.
  const message = codecOf(desc).decode(any.value, 0, any.value.length, Number.POSITIVE_INFINITY);
  const type = `"@type":${JSON.stringify(any.typeUrl)}`;
  if (wellKnownTypes[desc.typeName] === undefined && !isWrapperDesc(desc)) {
    return writeMessage(pieces, desc, message, type);
  }
  pieces.text += '{"value":';
  const inner = writeMessage(pieces, desc, message);
  const end: Step = {
    step(pieces) {
      pieces.text += `,${type}}`;
      return undefined;
    },
  };
  return inner === undefined ? end : new Sequence([inner, end]);
}

class Sequence implements Step {
  #at = 0;

  constructor(private readonly steps: readonly Step[]) {}

  step(): Step | undefined {
    return this.steps[this.#at++];
  }
}

function writeValue(pieces: JsonPieces, { kind, $typeName }: Value): Step | undefined {
  switch (kind.case) {
    case "structValue":
      return map(writeValue)(pieces, kind.value.fields);
    case "listValue":
      return list(writeValue)(pieces, kind.value.values);
    case "nullValue":
      return writeJson(pieces, null);
    case undefined:
      throw new Error(`${$typeName} must have a value`);
    default:
      return writeJson(pieces, kind.value);
  }
}

/** Writes a Struct that protobuf-es represents as JSON. */
function writeJson(pieces: JsonPieces, json: JsonValue): Step | undefined {
  if (typeof json === "string") return writeString(pieces, json);
  if (Array.isArray(json)) return list(writeJson)(pieces, json);
  if (typeof json === "object" && json !== null) return map(writeJson)(pieces, json);
  if (typeof json === "number") {
    if (!Number.isFinite(json)) throw new EncodeError("google.protobuf.Value cannot be NaN or Infinity");
    pieces.text += Object.is(json, -0) ? "-0" : String(json);
  } else if (typeof json === "boolean" || json === null) pieces.text += String(json);
  else throw new EncodeError(`google.protobuf.Value must have a value, and cannot be of type ${typeof json}`);
  return undefined;
}

const extendedTypes = new WeakMap<Registry, ReadonlySet<string>>();

/** The messages for which a registry has extensions. */
function extended(registry: Registry): ReadonlySet<string> {
  let names = extendedTypes.get(registry);
  if (names === undefined) {
    names = new Set([...registry].flatMap((type) => (type.kind === "extension" ? [type.extendee.typeName] : [])));
    extendedTypes.set(registry, names);
  }
  return names;
}
