import { configureTextEncoding } from "@bufbuild/protobuf/wire";

/**
 * Has protobuf-es treat text as codecs do wherever this process, or this page, uses it: U+FEFF is a character like any
 * other, also at the beginning, and a lone surrogate is refused, not replaced.
 */
export function keepTextExact(): void {
  const encoder = new TextEncoder();
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  const strict = new TextDecoder("utf-8", { ignoreBOM: true, fatal: true });
  configureTextEncoding({
    encodeUtf8(text) {
      if (!text.isWellFormed()) throw new TypeError("a string has a lone surrogate, half a character");
      return encoder.encode(text) as Uint8Array<ArrayBuffer>;
    },
    decodeUtf8: (bytes, isStrict) => (isStrict ? strict : decoder).decode(bytes),
    checkUtf8: (text) => text.isWellFormed(),
  });
}
