/** A value that its field's type cannot hold, such as a number out of range. A retry fails in the same way. */
export class EncodeError extends TypeError {
  override readonly name = "EncodeError";
}
