/** JSON that is not valid for its message. It has the field's path, the value found, and the value expected. */
export class JsonFault extends Error {
  override readonly name = "JsonFault";
  /** The path in proto spelling: `items[2].unit_price`; empty for the message itself. */
  field = "";

  constructor(
    /** What is wrong with the value. */
    readonly description: string,
  ) {
    super(description);
  }

  /** Returns a fault with its path extended by the enclosing message or list. Returns any other error unchanged. */
  static within(segment: string, error: unknown): unknown {
    if (!(error instanceof JsonFault)) return error;
    const { field } = error;
    error.field = field === "" || field.startsWith("[") ? segment + field : `${segment}.${field}`;
    error.message = `${error.field}: ${error.description}`;
    return error;
  }
}

/** Shortens untrusted text for an error message. */
export function short(text: string, most = 60): string {
  return text.length > most ? `${text.slice(0, most)}…` : text;
}
