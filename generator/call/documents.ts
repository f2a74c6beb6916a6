/**
 * Splits a text that arrives in pieces into JSON documents, each as soon as it is complete. Documents stay texts: their meaning
 * depends on the message type.
 */
export async function* documents(pieces: AsyncIterable<string> | Iterable<string>): AsyncIterable<string> {
  let text = "";
  let depth = 0;
  let quoted = false;
  let escaped = false;

  const take = (): string => {
    const document = text;
    text = "";
    return document;
  };

  for await (const piece of pieces) {
    for (const char of piece) {
      if (!quoted && depth === 0 && /\s/.test(char)) {
        // Whitespace ends a number or a literal.
        if (text !== "") yield take();
        continue;
      }
      // Two documents need no separator: {}{}.
      if (!quoted && depth === 0 && text !== "" && '{["'.includes(char)) yield take();
      text += char;
      if (escaped) escaped = false;
      else if (quoted && char === "\\") escaped = true;
      else if (char === '"') quoted = !quoted;
      else if (!quoted && "{[".includes(char)) depth++;
      else if (!quoted && "}]".includes(char)) depth--;
      if (!quoted && depth <= 0 && '}]"'.includes(char)) {
        depth = 0;
        yield take();
      }
    }
  }
  if (text !== "") yield take();
}
