/** Replaces what PostgreSQL cannot store, lone surrogates and U+0000, in text for people. */
export function plainText(text: string): string {
  return text.toWellFormed().replaceAll("\0", "\ufffd");
}
