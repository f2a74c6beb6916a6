import { isUtf8 } from "node:buffer";

/** Methods of Buffer that can be called on every Uint8Array. */
const native = Buffer.prototype as unknown as {
  utf8Write(this: Uint8Array, text: string, at: number): number;
  utf8Slice(this: Uint8Array, start: number, end: number): string;
};

/** Strings up to this length are decoded in a loop; for longer ones a call into Node is cheaper. */
const SHORT = 6;

/** Writes a string as UTF-8 with lone surrogates as U+FFFD. Returns the number of bytes written. */
export function utf8Write(bytes: Uint8Array, text: string, at: number): number {
  return native.utf8Write.call(bytes, text, at);
}

/**
 * Reads UTF-8. U+FEFF is kept at the beginning, too, where a TextDecoder would drop it.
 *
 * @param strict whether to refuse invalid UTF-8 instead of replacing it with U+FFFD
 */
export function utf8Read(bytes: Uint8Array, start: number, end: number, strict: boolean): string {
  if (end - start <= SHORT) {
    let text = "";
    let at = start;
    for (; at < end; at++) {
      const code = bytes[at]!;
      if (code > 0x7f) break;
      text += String.fromCharCode(code);
    }
    if (at === end) return text;
  }
  const text = native.utf8Slice.call(bytes, start, end);
  if (strict && text.includes("\ufffd") && !isUtf8(bytes.subarray(start, end))) {
    throw new TypeError("a string is no UTF-8");
  }
  return text;
}
