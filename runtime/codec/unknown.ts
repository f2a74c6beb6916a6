import type { Message, UnknownField } from "@bufbuild/protobuf";

/** How many unknown fields of one decoded message become objects of their own, as `getExtension` needs them. */
const APART = 1024;

/** Unknown fields of one message that are kept together, as ranges of bytes from tag to end. */
interface Rest {
  readonly message: Message;
  /** The tag of the first field; the first range starts at its value. */
  readonly tag: number;
  /** Start, end, start, end, … Adjacent ranges are merged. */
  readonly places: number[];
}

/**
 * Collects unknown fields during decoding. Messages of a newer contract have a few; a hostile message may have two million. Beyond a
 * limit, all further ones of a message are kept as one field, whose data contain the first value and all following fields: written
 * again, the bytes are the same.
 */
export class UnknownFields {
  readonly #bytes: Uint8Array;
  #apart = 0;
  #rests: Map<Message, Rest> | undefined;
  #last: Rest | undefined;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** Adds a field from its tag at `start` to `end`; its value starts at `valueStart`. */
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

  /** Assigns the remaining unknown fields to their messages at the end of decoding. */
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
