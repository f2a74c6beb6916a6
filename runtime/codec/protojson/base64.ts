const standard = /^[A-Za-z0-9+/]*={0,2}$/;
const urlSafe = /^[A-Za-z0-9_-]*={0,2}$/;

/**
 * Decodes base64 in the standard or the URL-safe alphabet, with or without padding. Unlike Buffer, it refuses mixed alphabets, white
 * space and wrong padding.
 *
 * @returns the bytes; or, as a string, the reason why they are invalid
 */
export function base64Bytes(text: string): Uint8Array<ArrayBuffer> | string {
  if (!standard.test(text) && !urlSafe.test(text)) return "is no base64";
  const padding = text.indexOf("=");
  const digits = padding < 0 ? text.length : padding;
  if (digits % 4 === 1 || (padding >= 0 && text.length % 4 !== 0))
    return "is no base64: a character is missing or too much";
  const decoded = Buffer.from(text, "base64");
  // Not from Node's pool: the bytes may be kept for long, and would keep the pool's block alive.
  return new Uint8Array(decoded);
}
