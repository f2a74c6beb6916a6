import type { DescMessage, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import { createMessage } from "../codec/create.js";
import { codecOf } from "../codec/known.js";
import { Reader } from "../codec/reader.js";
import { readReflected } from "../codec/reflected.js";
import type { EventType, Upcast } from "../spec/event.js";
import { Unprocessable } from "./delivery.js";

/** Says what of an event's newer version an event of the older one has in other words, or `undefined` where it has none. */
export type Upcaster<Old extends DescMessage, Next extends DescMessage, Hole extends string> = (
  old: MessageShape<Old>,
) => { readonly [Name in Hole]: Member<Next, Name> | undefined };

type Member<D extends DescMessage, Name extends string> =
  Exclude<MessageInitShape<D>, MessageShape<D>> extends infer Init
    ? Name extends keyof Init
      ? Init[Name]
      : never
    : never;

/** What consumers fill the holes of upcasts with, by the number of the version that they start from. */
export type Upcasters = ReadonlyMap<number, (old: never) => object>;

/** Those that a service has for what it consumes with the handler `name`. Throws an Error if one is missing. */
export function upcastersOf(
  name: string,
  { upcasts = [] }: Pick<EventType, "upcasts">,
  all: Readonly<Record<string, (old: never) => object>>,
): Upcasters {
  return new Map(
    upcasts.map(({ from }) => {
      const upcaster = all[`${name}From${from}`];
      if (upcaster === undefined) throw new Error(`there is no ${name}From${from} for what is consumed by ${name}`);
      return [from, upcaster];
    }),
  );
}

/** Where a version of an event is named: CloudEvents' `dataschema`, a URI. */
export function schemaUri({ schema, version }: Pick<EventType, "schema" | "version">): string {
  return `proto:${schema.typeName}/${version}`;
}

/**
 * The message in an event's bytes, whichever version of it they are; an event that says no version has the first.
 *
 * @throws Unprocessable if they are none, or of a version that is not known here
 */
export function readEvent<D extends DescMessage>(
  event: EventType<D>,
  attributes: Readonly<Record<string, string>>,
  payload: Uint8Array,
  upcasters: Upcasters,
): MessageShape<D> {
  const { typeName } = event.schema;
  const { type = "", dataschema = "" } = attributes;
  if (type !== typeName && !event.formerNames?.includes(type)) {
    throw new Unprocessable(`its type is ${type === "" ? "not said" : type}, and ${typeName} was expected`);
  }
  try {
    if (dataschema === schemaUri(event)) return event.codec.decode(payload);
    const version = majorOf(event, type, dataschema);
    const way = (event.upcasts ?? []).filter(({ from }) => from >= version);
    return event.codec.decode(way.reduce((bytes, upcast) => applied(upcast, bytes, upcasters), payload));
  } catch (error) {
    if (error instanceof Unprocessable) throw error;
    throw new Unprocessable(`its bytes are no ${typeName}: ${(error as Error).message}`, { cause: error });
  }
}

/** The first number of an event's version. A newer second one changes nothing for those who know the first. */
function majorOf(event: EventType, type: string, dataschema: string): number {
  if (dataschema === "") return 1;
  const prefix = `proto:${type}/`;
  const [, major] = (dataschema.startsWith(prefix) && /^(\d+)\.\d+$/.exec(dataschema.slice(prefix.length))) || [];
  if (major === undefined) throw new Unprocessable(`its dataschema is ${dataschema}, which is no version of ${type}`);
  if (Number(major) > Number.parseInt(event.version, 10)) {
    throw new Unprocessable(
      `it is version ${dataschema.slice(prefix.length)} of ${type}, and ${event.version} is known here: redrive it once this service is up to date`,
    );
  }
  return Number(major);
}

/** An event's bytes in the next version: the fields that are carried over, and what was said of the others. */
function applied({ from, old, next, carries }: Upcast, bytes: Uint8Array, upcasters: Upcasters): Uint8Array {
  const message = codecOf(old).decode(bytes, 0, bytes.length, Number.POSITIVE_INFINITY);
  let filled: object;
  try {
    filled = upcasters.get(from)!(message as never);
  } catch (error) {
    throw new Unprocessable(`what it says as version ${from} could not be told: ${(error as Error).message}`, {
      cause: error,
    });
  }
  const told = createMessage(next, filled as MessageInitShape<DescMessage>);
  const carried = only(carries, bytes);
  const reader = new Reader(carried, 0, carried.length, Number.POSITIVE_INFINITY);
  readReflected(reader, next, carried.length, told);
  reader.finish();
  return codecOf(next).toBytes(told);
}

/** The fields of a message that have these numbers, as they are. */
export function only(numbers: readonly number[], bytes: Uint8Array): Uint8Array {
  const reader = new Reader(bytes, 0, bytes.length);
  const parts: Uint8Array[] = [];
  for (let start = 0, tag = reader.tag(bytes.length); tag !== 0; tag = reader.tag(bytes.length)) {
    reader.skip(tag);
    if (numbers.includes(tag >>> 3)) parts.push(bytes.subarray(start, reader.at));
    start = reader.at;
  }
  return Buffer.concat(parts);
}
