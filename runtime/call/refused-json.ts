import { JsonFault } from "../codec/protojson/fault.js";
import { violated } from "./violations.js";

/** The error for a caller whose JSON is no such message: INVALID_ARGUMENT that names the field. Returns others as they are. */
export function refusedJson(error: unknown): unknown {
  if (!(error instanceof JsonFault)) return error;
  const { field, description } = error;
  return violated([{ field, description, reason: "JSON_INVALID" }], undefined, error);
}

/** A field that proto2 requires, and that a request lacks. */
export function lacking(field: string): unknown {
  return violated([{ field, description: "is required, and is not set", reason: "REQUIRED" }]);
}
