/** A value that Protobuf has and a column does not. Which field it is in, and whose it is, is said by `unkeepable`. */
export class UnkeepableError extends Error {
  override readonly name = "UnkeepableError";
}
