import { hash as digest } from "node:crypto";

/** Returns the text with LF line ends, as the tool writes it. A checkout with CRLF is equal. */
export function lf(text: string): string {
  return text.replaceAll("\r\n", "\n");
}

/** Returns the hash of a text in the manifest: SHA-256, in hexadecimal, independent of line ends. */
export function hash(text: string): string {
  return digest("sha256", lf(text));
}

/** The same, of a file's bytes. */
export function hashOf(bytes: Buffer): string {
  return bytes.includes("\r") ? hash(bytes.toString()) : digest("sha256", bytes);
}

/** Compares as sort() does, by code unit: the same on every machine, whatever its locale. */
export function byCodeUnit(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
