const standard = /^[A-Za-z0-9+/]*={0,2}$/;
const urlSafe = /^[A-Za-z0-9_-]*={0,2}$/;

/**
 * Reads base64 in the standard or the URL's alphabet, with its padding or without. Unlike Buffer, it takes neither a
 * mixture nor white space, nor padding that is not right.
 *
 * @returns the bytes; or, as a text, why they are none
 */
export function base64Bytes(text: string): Uint8Array<ArrayBuffer> | string {
  if (!standard.test(text) && !urlSafe.test(text)) return "is no base64";
  const padding = text.indexOf("=");
  const digits = padding < 0 ? text.length : padding;
  if (digits % 4 === 1 || (padding >= 0 && text.length % 4 !== 0))
    return "is no base64: a character is missing or too much";
  const decoded = Buffer.from(text, "base64");
  // Not a part of Node's pool: it may be kept for long.
  return new Uint8Array(decoded);
}
