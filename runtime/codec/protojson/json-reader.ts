import type { Registry } from "@bufbuild/protobuf";
import { JsonFault } from "./fault.js";
import { JsonText, Token } from "./json-text.js";

/** The maximum nesting of messages, the outermost included; the same as for the wire format. */
const DEEPEST = 100;
/** The maximum number of messages in one text: each takes far more memory than its text. Map entries and Struct values count twice. */
const MOST = 100_000;
/** The number of fields without presence that count as one more value, since a new message initializes them all. */
const FIELDS_OF_A_VALUE = 16;
/** The maximum number of characters read twice to find the `@type` of Any messages that do not begin with it. */
const MOST_READ_TWICE = 8 * 1024 * 1024;

export interface JsonReadOptions {
  /** The types that a google.protobuf.Any may hold, and the known extensions. */
  readonly registry?: Registry | undefined;
  /** Whether to skip unknown fields and unknown enum names. Default: they are refused. */
  readonly ignoreUnknownFields?: boolean | undefined;
  /** Whether field masks may have paths in proto spelling, too. Default: only in lowerCamelCase, as ProtoJSON has them. */
  readonly protoPaths?: boolean | undefined;
  /**
   * Whether the text comes from a database row: nesting is not limited, and closed enums may have numbers that this process does not
   * know. Default: false.
   */
  readonly stored?: boolean | undefined;
}

/** Reads a JSON text as a message, within limits. */
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

  /** Starts a message with this many fields to initialize. */
  enter(fields: number): void {
    if (++this.depth > this.deepest) throw new JsonFault(`messages are more than ${DEEPEST} deep in one another`);
    this.count(1 + Math.floor(fields / FIELDS_OF_A_VALUE));
  }

  /** Ends a message. */
  leave(): void {
    this.depth--;
  }

  /** Counts values before they are made. */
  count(values = 1): void {
    this.left -= values;
    if (this.left < 0) {
      throw new JsonFault(
        `there are more than ${MOST} messages, half as many entries of maps and values of Structs, or four times as many 64-bit numbers: send them in several requests`,
      );
    }
  }

  /** Reads a value that must be a string. */
  quoted(wanted: string): string {
    if (this.peek() !== Token.QUOTE) throw this.misfit(wanted);
    return this.string();
  }

  /** Reads a number, or a string that may be one, and returns its text. */
  numeral(wanted: string): string {
    const code = this.peek();
    if (code === Token.QUOTE) return this.string();
    if (code === 0x2d || (code >= 0x30 && code <= 0x39)) return this.number();
    throw this.misfit(wanted);
  }

  /** Reads the brace or bracket that must begin the value. */
  open(token: number, wanted: string): void {
    if (this.peek() !== token) throw this.misfit(wanted);
    this.at++;
  }

  /** Skips a null, and returns whether there was one. */
  takeNull(): boolean {
    if (this.peek() !== Token.NULL) return false;
    this.word("null");
    return true;
  }

  /**
   * Looks ahead for the string of one member in the object whose brace was read last; undefined if it has none. The position does not
   * change.
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

  /** Throws because the next value is not the expected one. */
  misfit(wanted: string): JsonFault {
    return new JsonFault(`${this.shown()} is not ${wanted}`);
  }
}
