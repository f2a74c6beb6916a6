/** A Protobuf value that its column cannot store. `unkeepable` finds the field, and whether the caller sent the value. */
export class UnkeepableError extends Error {
  override readonly name = "UnkeepableError";
}
