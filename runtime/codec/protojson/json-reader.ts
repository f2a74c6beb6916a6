import type { Registry } from "@bufbuild/protobuf";
import { JsonFault } from "./fault.js";
import { JsonText, Token } from "./json-text.js";

/** Messages may be inside one another this deep, the outermost included: as deep as in binary. */
const DEEPEST = 100;
/** Messages that one text may have: each costs far more memory than it has text. Entries of maps and values of Structs count twice. */
const MOST = 100_000;
/** A message costs as much as another value for each so many fields that it has without presence. */
const FIELDS_OF_A_VALUE = 16;
/** How many characters may be read twice to find the `@type` of messages that do not begin with it. */
const MOST_READ_TWICE = 8 * 1024 * 1024;

export interface JsonReadOptions {
  /** Types that a google.protobuf.Any may hold, and extensions. */
  readonly registry?: Registry | undefined;
  /** Whether to pass over fields and names of enum values that nobody knows. Default: they are refused. */
  readonly ignoreUnknownFields?: boolean | undefined;
  /** Whether a field mask may have its paths in proto spelling, too. Default: in lowerCamelCase only, as in JSON. */
  readonly protoPaths?: boolean | undefined;
  /**
   * Whether it comes from a row, where any number of messages may be in one another, and closed enums may have numbers that this
   * process does not know. Default: false.
   */
  readonly stored?: boolean | undefined;
}

/** A JSON text that is read as a message, with what bounds it. */
export class JsonReader extends JsonText {
  readonly registry: Registry | undefined;
  readonly ignoreUnknown: boolean;
  readonly protoPaths: boolean;
  readonly stored: boolean;
  private depth = 0;
  private left: number;
  private readonly deepest: number;
  private readTwice = 0;

  constructor(
    text: string,
    { registry, ignoreUnknownFields = false, protoPaths = false, stored = false }: JsonReadOptions = {},
  ) {
    super(text);
    this.stored = stored;
    this.left = stored ? Number.POSITIVE_INFINITY : MOST;
    this.deepest = stored ? Number.POSITIVE_INFINITY : DEEPEST;
    this.registry = registry;
    this.ignoreUnknown = ignoreUnknownFields;
    this.protoPaths = protoPaths;
  }

  /** Begins a message that has this many fields to be filled in. */
  enter(fields: number): void {
    if (++this.depth > this.deepest) throw new JsonFault(`messages are more than ${DEEPEST} deep in one another`);
    this.count(1 + Math.floor(fields / FIELDS_OF_A_VALUE));
  }

  /** Ends a message. */
  leave(): void {
    this.depth--;
  }

  /** Counts values that are about to be made. */
  count(values = 1): void {
    this.left -= values;
    if (this.left < 0) {
      throw new JsonFault(
        `there are more than ${MOST} messages, half as many entries of maps and values of Structs, or four times as many 64-bit numbers: send them in several requests`,
      );
    }
  }

  /** A value that must be a string. */
  quoted(wanted: string): string {
    if (this.peek() !== Token.QUOTE) throw this.misfit(wanted);
    return this.string();
  }

  /** A value that must be a number, or a string that may be one: what it says. */
  numeral(wanted: string): string {
    const code = this.peek();
    if (code === Token.QUOTE) return this.string();
    if (code === 0x2d || (code >= 0x30 && code <= 0x39)) return this.number();
    throw this.misfit(wanted);
  }

  /** Goes past the brace or bracket that a value must begin with. */
  open(token: number, wanted: string): void {
    if (this.peek() !== token) throw this.misfit(wanted);
    this.at++;
  }

  /** Goes past a null, if that is next. */
  takeNull(): boolean {
    if (this.peek() !== Token.NULL) return false;
    this.word("null");
    return true;
  }

  /**
   * The string that a member of an object has, whose brace was gone past just now; undefined if it has none. What is read
   * is read again afterwards.
   */
  findMember(name: string): string | undefined {
    const start = this.at;
    try {
      for (let isFirst = true; this.nextMember(isFirst); isFirst = false) {
        if (this.key() === name) return this.quoted("a string");
        this.skip();
      }
      return undefined;
    } finally {
      this.readTwice += this.at - start;
      this.at = start;
      if (this.readTwice > MOST_READ_TWICE) {
        // biome-ignore lint/correctness/noUnsafeFinally: whatever else is wrong, this must end.
        throw new JsonFault(`messages in one another have their "${name}" at the end: write it first`);
      }
    }
  }

  /** The next value is not what is wanted. */
  misfit(wanted: string): JsonFault {
    return new JsonFault(`${this.shown()} is not ${wanted}`);
  }
}
