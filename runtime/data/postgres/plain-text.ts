/** A text for people, as the database can keep it: half a character, or U+0000, must not be why it is not written down. */
export function plainText(text: string): string {
  return text.toWellFormed().replaceAll("\0", "\ufffd");
}
