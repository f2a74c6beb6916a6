import {
  type DescEnum,
  type DescField,
  type DescMessage,
  type JsonValue,
  type Message,
  type Registry,
  ScalarType,
  toJson,
} from "@bufbuild/protobuf";
import {
  type Any,
  anyUnpack,
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

/** How ProtoJSON is written. */
export interface JsonWriteOptions {
  /** Whether fields without presence are written also when they hold their default. Default: false. */
  readonly alwaysEmitImplicit?: boolean;
  /** The types that a google.protobuf.Any may hold, and the extensions that are known. */
  readonly registry?: Registry;
}

/** About how many characters one piece has. */
const PIECE = 64 * 1024;
/** A longer string is cut, and so are longer bytes: a multiple of 3, so that base64 needs no padding between. */
const LONG_TEXT = 32 * 1024;
const LONG_BYTES = 48 * 1024;

/**
 * A message in ProtoJSON, written piece by piece: what protobuf-es' `toJsonString` says, to the character, but no piece is
 * much longer than 64 Ki characters, and between two pieces others can have their turn. The stack of what is being written
 * is kept here, not in the calls, so a piece costs what its text costs.
 */
export class JsonPieces {
  /** The piece that is being written. */
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
      if (isWritten(plan, message as Fields, options)) this.#push(plan.write(this, valueIn(plan, message as Fields)));
      else this.text = "null";
    }
  }

  /** Whether all has been returned by `next`. */
  get isDone(): boolean {
    return this.#stack.length === 0 && this.text === "";
  }

  /** Returns the next piece; the last may be empty. Throws an Error if a value has no JSON. */
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

/** Something that has not been written to its end. */
interface Step {
  /** Goes on. Returns what has to be written before it can go on again, itself if the piece is full, undefined at its end. */
  step(pieces: JsonPieces): Step | undefined;
}

/** Writes a value, or begins to: what is returned is to be written next. */
type Write<T> = (pieces: JsonPieces, value: T) => Step | undefined;

/** A message, its type forgotten. */
type Fields = Readonly<Record<string, unknown>> & { readonly $unknown?: readonly unknown[] };

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

/** Whether a field is written: it is set, or has no presence and defaults are asked for. */
function isWritten({ field }: FieldPlan, message: Fields, { alwaysEmitImplicit }: JsonWriteOptions): boolean {
  const { localName: name, presence, oneof } = field;
  if (oneof !== undefined) return (message[oneof.localName] as { case?: string }).case === name;
  const value = message[name];
  if (presence !== FeatureSet_FieldPresence.IMPLICIT) {
    // What has a default of its own has it on the prototype.
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

/** The default of a scalar without presence. -0 of a float is none: it has bits of its own. */
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
  const { registry } = pieces.options;
  if (registry !== undefined && fields.$unknown !== undefined && extended(registry).has(desc.typeName)) {
    // Extensions, which protobuf-es finds among the unknown fields. They are in options, which are small.
    const json = JSON.stringify(toJson(desc, message, pieces.options));
    pieces.text += last === "" ? json : `${json === "{}" ? "{" : `${json.slice(0, -1)},`}${last}}`;
    return undefined;
  }
  pieces.text += "{";
  return new MessageStep(planOf(desc), fields, last);
}

class MessageStep implements Step {
  #at = 0;
  #isFirst = true;

  constructor(
    private readonly plan: readonly FieldPlan[],
    private readonly message: Fields,
    /** A member that stands behind the fields. */
    private readonly last: string,
  ) {}

  step(pieces: JsonPieces): Step | undefined {
    const { plan, message } = this;
    while (this.#at < plan.length) {
      if (pieces.text.length >= PIECE) return this;
      const field = plan[this.#at++] as FieldPlan;
      if (!isWritten(field, message, pieces.options)) continue;
      pieces.text += this.#isFirst ? field.name : `,${field.name}`;
      this.#isFirst = false;
      const inner = field.write(pieces, valueIn(field, message));
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

function map<T>(write: Write<T>): Write<Readonly<Record<string, T>>> {
  return (pieces, entries) => {
    pieces.text += "{";
    return new MapStep(entries, write);
  };
}

// -------------------------------------------------------------------------------------------------------------- fields

function writerOf(field: DescField): Write<unknown> {
  switch (field.fieldKind) {
    case "scalar":
      return scalar(field, field.scalar);
    case "enum":
      return enumeration(field.enum);
    case "message":
      return singular(field);
    case "list":
      return list(
        field.listKind === "scalar"
          ? scalar(field, field.scalar)
          : field.listKind === "enum"
            ? enumeration(field.enum)
            : element(field, field.message),
      ) as Write<unknown>;
    case "map":
      return map(
        field.mapKind === "scalar"
          ? scalar(field, field.scalar)
          : field.mapKind === "enum"
            ? enumeration(field.enum)
            : element(field, field.message),
      ) as Write<unknown>;
  }
}

/** A wrapper that is neither repeated nor in a oneof is kept as what it holds. */
function singular(field: DescField & { fieldKind: "message" }): Write<unknown> {
  const { message, oneof } = field;
  if (isWrapperDesc(message) && oneof === undefined) {
    const [value] = message.fields as [DescField & { fieldKind: "scalar" }];
    return scalar(value, value.scalar);
  }
  return element(field, message);
}

/** A Struct in a field is kept as JSON, but for that of a Value. */
function element(field: DescField, desc: DescMessage): Write<unknown> {
  if (desc.typeName === "google.protobuf.Struct" && field.parent.typeName !== "google.protobuf.Value") {
    return writeJson as Write<unknown>;
  }
  return (pieces, message) => writeMessage(pieces, desc, message as Message);
}

function enumeration(desc: DescEnum): Write<unknown> {
  return (pieces, value) => {
    if (typeof value !== "number")
      throw new Error(`cannot encode ${desc} to JSON: expected number, got ${typeof value}`);
    const name = desc.value[value]?.name;
    pieces.text +=
      desc.typeName === "google.protobuf.NullValue" ? "null" : name === undefined ? String(value) : `"${name}"`;
    return undefined;
  };
}

function scalar(field: DescField, type: ScalarType): Write<unknown> {
  const wrong = (value: unknown) => new Error(`cannot encode ${field} to JSON: ${typeof value} does not fit`);
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
    case ScalarType.INT64:
    case ScalarType.UINT64:
    case ScalarType.SINT64:
    case ScalarType.FIXED64:
    case ScalarType.SFIXED64:
      return (pieces, value) => {
        if (typeof value === "bigint" || Number.isInteger(value)) pieces.text += `"${value}"`;
        else if (typeof value === "string") pieces.text += JSON.stringify(value);
        else throw wrong(value);
        return undefined;
      };
    case ScalarType.FLOAT:
    case ScalarType.DOUBLE:
      return (pieces, value) => {
        if (typeof value !== "number") throw wrong(value);
        pieces.text += Number.isFinite(value) ? String(value) : `"${value}"`;
        return undefined;
      };
    default:
      return (pieces, value) => {
        if (typeof value !== "number") throw wrong(value);
        pieces.text += Number.isFinite(value) ? String(value) : "null";
        return undefined;
      };
  }
}

function writeString(pieces: JsonPieces, value: string): Step | undefined {
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
    // A pair of surrogates is one character: apart, each would be escaped.
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
  const { registry } = pieces.options;
  const message = registry && anyUnpack(any, registry);
  const desc = message && registry.getMessage(message.$typeName);
  if (!desc || !message) {
    throw new Error(`cannot encode message ${any.$typeName} to JSON: "${any.typeUrl}" is not in the type registry`);
  }
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

/** A Struct where protobuf-es keeps it as JSON. */
function writeJson(pieces: JsonPieces, json: JsonValue): Step | undefined {
  if (typeof json === "string") return writeString(pieces, json);
  if (Array.isArray(json)) return list(writeJson)(pieces, json);
  if (typeof json === "object" && json !== null) return map(writeJson)(pieces, json);
  if (json === undefined) throw new Error("google.protobuf.Value must have a value");
  if (typeof json === "number" && !Number.isFinite(json)) {
    throw new Error("google.protobuf.Value cannot be NaN or Infinity");
  }
  pieces.text += JSON.stringify(json);
  return undefined;
}

const extendedTypes = new WeakMap<Registry, ReadonlySet<string>>();

/** The messages that a registry knows extensions of. */
function extended(registry: Registry): ReadonlySet<string> {
  let names = extendedTypes.get(registry);
  if (names === undefined) {
    names = new Set([...registry].flatMap((type) => (type.kind === "extension" ? [type.extendee.typeName] : [])));
    extendedTypes.set(registry, names);
  }
  return names;
}
