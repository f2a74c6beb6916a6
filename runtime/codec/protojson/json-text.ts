import { isUtf8 } from "node:buffer";
import { JsonFault, short } from "./fault.js";

/** The characters that begin a value. */
export const Token = {
  QUOTE: 0x22,
  OBJECT: 0x7b,
  ARRAY: 0x5b,
  TRUE: 0x74,
  FALSE: 0x66,
  NULL: 0x6e,
} as const;

const COMMA = 0x2c;
const COLON = 0x3a;
const END_OBJECT = 0x7d;
const END_ARRAY = 0x5d;
const BACKSLASH = 0x5c;
const SPACE = 0x20;

const numbers = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
/** Characters that may not follow a number. */
const wordy = /[\w.+-]/;

/** Matches a lone surrogate. */
const lone = /\p{Surrogate}/u;

/** The maximum nesting of skipped values. */
const DEEPEST = 100;
/** The maximum number of keys of a skipped object: at least as many as an object that is read may have. */
const MOST_KEYS = 100_000;

/**
 * Decodes JSON text from UTF-8 (RFC 8259). A U+FEFF at the beginning is dropped, as section 8.1 permits; elsewhere it is a character
 * like any other.
 *
 * @throws JsonFault if the bytes are not UTF-8
 */
export function jsonText(bytes: Uint8Array): string {
  if (!isUtf8(bytes)) throw new JsonFault("the JSON is not well-formed UTF-8");
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString();
  return text.charCodeAt(0) === 0xfeff ? text.slice(1) : text;
}

/** Reads JSON text from left to right, strictly by the grammar of RFC 8259. */
export class JsonText {
  /** The offset of the next character. */
  at = 0;

  constructor(readonly text: string) {}

  /** Returns the first character code of the next token; NaN at the end. */
  peek(): number {
    for (;;) {
      const code = this.text.charCodeAt(this.at);
      if (code > SPACE || !(code === SPACE || code === 0x0a || code === 0x0d || code === 0x09)) return code;
      this.at++;
    }
  }

  /** Returns whether an object has another member, and skips the separator. The first call after its brace finds the first member. */
  nextMember(isFirst: boolean): boolean {
    return this.next(END_OBJECT, isFirst);
  }

  /** Returns whether an array has another element. */
  nextElement(isFirst: boolean): boolean {
    return this.next(END_ARRAY, isFirst);
  }

  private next(end: number, isFirst: boolean): boolean {
    const code = this.peek();
    if (code === end) {
      this.at++;
      return false;
    }
    if (isFirst) return true;
    if (code !== COMMA) throw this.unexpected();
    this.at++;
    return true;
  }

  /** Reads a member's name and its colon. */
  key(): string {
    if (this.peek() !== Token.QUOTE) throw this.unexpected();
    const key = this.string();
    if (this.peek() !== COLON) throw this.unexpected();
    this.at++;
    return key;
  }

  /** Reads a string; its opening quote is next. */
  string(): string {
    const { text } = this;
    const start = this.at + 1;
    let at = start;
    let isEscaped = false;
    for (;;) {
      const code = text.charCodeAt(at);
      if (code === Token.QUOTE) break;
      if (code === BACKSLASH) {
        isEscaped = true;
        at += 2;
      } else if (code >= SPACE) at++;
      else {
        this.at = Math.min(at, text.length);
        throw this.unexpected();
      }
    }
    this.at = at + 1;
    return isEscaped ? this.unescaped(start - 1, at + 1) : text.slice(start, at);
  }

  private unescaped(start: number, end: number): string {
    const quoted = this.text.slice(start, end);
    let value: string;
    try {
      value = JSON.parse(quoted) as string;
    } catch {
      throw new JsonFault(
        `the JSON is broken at character ${start + 1}: ${short(quoted)} has an escape that does not exist`,
      );
    }
    if (lone.test(value)) {
      throw new JsonFault(`${short(quoted)} has half of a surrogate pair, which no text in UTF-8 can hold`);
    }
    return value;
  }

  /** Reads an integer of one to nine digits; returns -1 and reads nothing if the next token is something else. */
  digits(): number {
    const { text } = this;
    const start = this.at;
    let at = start;
    let number = 0;
    let code = text.charCodeAt(at);
    for (; code >= 0x30 && code <= 0x39; code = text.charCodeAt(++at)) number = number * 10 + code - 0x30;
    const isPlain = code === COMMA || code === END_ARRAY || code === END_OBJECT;
    const size = at - start;
    // No other number begins with zero.
    if (!isPlain || size === 0 || size > 9 || (size > 1 && text.charCodeAt(start) === 0x30)) return -1;
    this.at = at;
    return number;
  }

  /** Reads a number and returns its text. */
  number(): string {
    numbers.lastIndex = this.at;
    const found = numbers.exec(this.text)?.[0];
    if (found === undefined) throw this.unexpected();
    const end = this.at + found.length;
    if (end < this.text.length && wordy.test(this.text[end]!)) {
      this.at = end;
      throw this.unexpected();
    }
    this.at = end;
    return found;
  }

  /** Reads `true`, `false` or `null`; its first letter is next. */
  word(word: string): void {
    const end = this.at + word.length;
    if (!this.text.startsWith(word, this.at) || (end < this.text.length && wordy.test(this.text[end]!))) {
      throw this.unexpected();
    }
    this.at = end;
  }

  /** Skips a value. Duplicate keys are refused here, too. */
  skip(depth = 0): void {
    if (depth > DEEPEST) throw new JsonFault(`the JSON is more than ${DEEPEST} values deep in one another`);
    switch (this.peek()) {
      case Token.QUOTE:
        this.string();
        break;
      case Token.OBJECT: {
        this.at++;
        let keys: Set<string> | undefined;
        for (let isFirst = true; this.nextMember(isFirst); isFirst = false) {
          const key = this.key();
          keys ??= new Set();
          if (keys.has(key)) throw new JsonFault(`the key ${short(JSON.stringify(key))} is there twice`);
          if (keys.size === MOST_KEYS) throw new JsonFault(`an object has more than ${MOST_KEYS} keys`);
          keys.add(key);
          this.skip(depth + 1);
        }
        break;
      }
      case Token.ARRAY:
        this.at++;
        for (let isFirst = true; this.nextElement(isFirst); isFirst = false) this.skip(depth + 1);
        break;
      case Token.TRUE:
        this.word("true");
        break;
      case Token.FALSE:
        this.word("false");
        break;
      case Token.NULL:
        this.word("null");
        break;
      default:
        this.number();
    }
  }

  /** Throws if anything but white space is left. */
  end(): void {
    if (!Number.isNaN(this.peek())) throw this.unexpected();
  }

  /** Returns the next value's text, shortened for an error. It may be incomplete or invalid. */
  shown(): string {
    const code = this.peek();
    if (Number.isNaN(code)) throw this.unexpected();
    if (code === Token.OBJECT) return "an object";
    if (code === Token.ARRAY) return "an array";
    const start = this.at;
    try {
      this.skip();
      return short(this.text.slice(start, this.at));
    } finally {
      this.at = start;
    }
  }

  unexpected(): JsonFault {
    const code = this.text.codePointAt(this.at);
    const what = code === undefined ? "it ends too early" : `unexpected ${JSON.stringify(String.fromCodePoint(code))}`;
    return new JsonFault(`the JSON is broken at character ${this.at + 1}: ${what}`);
  }
}
