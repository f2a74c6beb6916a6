import { hash as digest } from "node:crypto";

/** The text with LF line ends, as the tool writes it: a checkout with CRLF is the same text. */
export function lf(text: string): string {
  return text.replaceAll("\r\n", "\n");
}

/** What the manifest remembers a text by: SHA-256, in hexadecimal, whatever its line ends. */
export function hash(text: string): string {
  return digest("sha256", lf(text));
}

/** The same, of a file's bytes. */
export function hashOf(bytes: Buffer): string {
  return bytes.includes("\r") ? hash(bytes.toString()) : digest("sha256", bytes);
}

/** Orders as sort() does, by code unit: the same on every machine, whatever its locale. */
export function byCodeUnit(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
