/** A value that its field cannot hold, such as a number out of range: encoding it again fails again. */
export class EncodeError extends TypeError {
  override readonly name = "EncodeError";
}
