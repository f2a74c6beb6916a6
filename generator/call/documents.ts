/**
 * Takes a text that comes in pieces apart into the JSON documents in it, each as soon as it is complete. They are texts, for
 * what a document says depends on the message that it is to be.
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
        // White space ends a number or a word.
        if (text !== "") yield take();
        continue;
      }
      // Two documents may stand side by side: {}{}.
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
