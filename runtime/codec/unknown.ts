import type { Message, UnknownField } from "@bufbuild/protobuf";

/** How many unknown fields of all that is read become objects of their own, as `getExtension` wants them. */
const APART = 1024;

/** Unknown fields of one message that are not kept apart: where they are in the bytes, from tag to end. */
interface Rest {
  readonly message: Message;
  /** The tag of the first, which begins where its value does. */
  readonly tag: number;
  /** Start, end, start, end, … Neighbours are one. */
  readonly places: number[];
}

/**
 * Collects the fields that messages do not know while they are read. An old program's messages bring a few of a new
 * contract; a hostile caller's two million. From some number on, all that one message has left is kept as one field
 * whose data begin with a field's value and go on with the fields behind it: written again, it is the same bytes.
 */
export class UnknownFields {
  readonly #bytes: Uint8Array;
  #apart = 0;
  #rests: Map<Message, Rest> | undefined;
  #last: Rest | undefined;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** Adds a field that goes from its tag at `start` to `end`; its value begins at `valueStart`. */
  add(message: Message, tag: number, start: number, valueStart: number, end: number): void {
    if (this.#apart < APART) {
      this.#apart++;
      keep(message, tag, copyOf(this.#bytes, [valueStart, end]));
      return;
    }
    this.#rests ??= new Map();
    const rest = this.#last?.message === message ? this.#last : this.#rests.get(message);
    if (rest === undefined) {
      this.#last = { message, tag, places: [valueStart, end] };
      this.#rests.set(message, this.#last);
      return;
    }
    this.#last = rest;
    const { places } = rest;
    if (places.at(-1) === start) places[places.length - 1] = end;
    else places.push(start, end);
  }

  /** Gives each message the rest of its fields, once all is read. */
  finish(): void {
    for (const { message, tag, places } of this.#rests?.values() ?? []) keep(message, tag, copyOf(this.#bytes, places));
  }
}

function keep(message: Message, tag: number, data: Uint8Array): void {
  const field: UnknownField = { no: tag >>> 3, wireType: tag & 7, data };
  if (message.$unknown === undefined) message.$unknown = [field];
  else message.$unknown.push(field);
}

function copyOf(bytes: Uint8Array, places: readonly number[]): Uint8Array {
  let length = 0;
  for (let each = 0; each < places.length; each += 2) length += places[each + 1]! - places[each]!;
  const copy = new Uint8Array(length);
  let at = 0;
  for (let each = 0; each < places.length; each += 2) {
    for (let from = places[each]!; from < places[each + 1]!; ) copy[at++] = bytes[from++]!;
  }
  return copy;
}
