import { configureTextEncoding } from "@bufbuild/protobuf/wire";

/**
 * Makes protobuf-es treat strings as the codecs do, in the whole process or page: U+FEFF is kept at the beginning, too, and a lone
 * surrogate is refused instead of replaced.
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
