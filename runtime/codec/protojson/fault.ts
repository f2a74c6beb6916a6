/** JSON that is not the message that it should be. Says where, what stands there, and what should. */
export class JsonFault extends Error {
  override readonly name = "JsonFault";
  /** Where, in proto spelling: `items[2].unit_price`; empty for the whole message. */
  field = "";

  constructor(
    /** What is wrong there. */
    readonly description: string,
  ) {
    super(description);
  }

  /** The same fault, seen from the message or list around it. Returns anything else as it is. */
  static within(segment: string, error: unknown): unknown {
    if (!(error instanceof JsonFault)) return error;
    const { field } = error;
    error.field = field === "" || field.startsWith("[") ? segment + field : `${segment}.${field}`;
    error.message = `${error.field}: ${error.description}`;
    return error;
  }
}

/** A text from outside, short enough for an error. */
export function short(text: string, most = 60): string {
  return text.length > most ? `${text.slice(0, most)}…` : text;
}
