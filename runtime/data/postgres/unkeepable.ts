import type { DescMessage, Message } from "@bufbuild/protobuf";
import { protoCamelCase, protoSnakeCase } from "@bufbuild/protobuf/reflect";
import type { ConnectError } from "@connectrpc/connect";
import { activeCall } from "../../call/active-call.js";
import { violated } from "../../call/violations.js";
import { anyInside } from "../../codec/any-inside.js";
import { LoneSurrogateError, loneSurrogateIn } from "../../codec/lone-surrogate.js";
import { searchMessage } from "../../codec/search.js";
import { errorFor } from "../../errors/error.js";
import { durationFault } from "./duration.js";
import { timestampFault } from "./timestamp.js";
import { UnkeepableError } from "./unkeepable-error.js";

/** A message to be written, or an init object for `create`. */
export interface Written {
  readonly schema: DescMessage;
  readonly message: object;
}

/** A reason why a column cannot store a value. */
interface Fault {
  readonly reason: string;
  readonly description: string;
}

const nul: Fault = {
  reason: "TEXT_HAS_NUL",
  description: "holds the character U+0000, which the database cannot keep: leave it out",
};
const notJson: Fault = {
  reason: "VALUE_NOT_JSON",
  description: "is a value that JSON does not have: a Value without a kind, NaN, or an infinite number",
};
const mask: Fault = {
  reason: "FIELD_MASK_INVALID",
  description:
    "has a path that is not kept in JSON: spell each in lower_snake_case, without commas and double underscores",
};

/**
 * The error for a value that the database did not take. It is the caller's (INVALID_ARGUMENT, which names the field of the
 * request) if the call's request holds such a value, too; what only the handler has is the service's own fault (INTERNAL, which names
 * the field of what was to be written). Undefined: neither holds any.
 *
 * @param written what was to be written, where that is known
 * @param isNul whether the database has said that it was U+0000
 */
export function unkeepable(cause: Error, written: Written | undefined, isNul: boolean): ConnectError | undefined {
  const place = written && loneSurrogateIn(written.schema, written.message);
  if (place !== undefined)
    return internal(new LoneSurrogateError(`${written!.schema.typeName}.${place}`).message, cause);
  // It is the handler's value: requests with lone surrogates are refused when they are decoded.
  if (cause instanceof LoneSurrogateError) return internal(cause.message, cause);
  const fault = written && faultIn(written.schema, written.message);
  const reason = fault?.found.reason ?? (isNul ? nul.reason : undefined);
  if (reason === undefined) return undefined;
  const asked = activeCall()?.request;
  const sent = asked && faultIn(asked.schema, asked.message, reason);
  if (sent !== undefined) return violated([{ field: sent.path, ...sent.found }], "VALUE_INVALID", cause);
  const what = fault === undefined ? "a parameter of the statement" : `${written!.schema.typeName}.${fault.path}`;
  return internal(`${what} ${(fault?.found ?? nul).description}`, cause);
}

function internal(message: string, cause: Error): ConnectError {
  return errorFor("VALUE_NOT_STORABLE", message, { cause });
}

/** Returns the first fault in a message; with `reason`, the first one of that kind. */
function faultIn(schema: DescMessage, message: object, reason?: string) {
  const only = (fault: Fault | undefined) => (reason === undefined || fault?.reason === reason ? fault : undefined);
  return searchMessage(schema, message, {
    text: (value) => only(value.includes("\0") ? nul : undefined),
    json: (value) => only(typeof value === "number" && !Number.isFinite(value) ? notJson : undefined),
    message: (inner, value) => only(messageFault(inner, value as Message)),
  });
}

function messageFault(schema: DescMessage, message: Message): Fault | undefined {
  const parts = message as never;
  switch (schema.typeName) {
    case "google.protobuf.Timestamp":
      return described("TIMESTAMP_OUT_OF_RANGE", timestampFault(parts));
    case "google.protobuf.Duration":
      return described("DURATION_INVALID", durationFault(parts));
    case "google.protobuf.FieldMask":
      return (parts as { paths: readonly string[] }).paths.every(isPath) ? undefined : mask;
    case "google.protobuf.Value": {
      const { kind } = parts as { kind: { case?: string; value?: unknown } };
      const isNumber = kind.case === "numberValue";
      return kind.case === undefined || (isNumber && !Number.isFinite(kind.value)) ? notJson : undefined;
    }
    default:
      return undefined;
  }
}

function described(reason: string, description: string | undefined): Fault | undefined {
  return description === undefined ? undefined : { reason, description };
}

/** Returns whether a field mask path survives the conversion to camelCase in a comma-separated list, and back. */
function isPath(path: string): boolean {
  return path !== "" && !path.includes(",") && protoSnakeCase(protoCamelCase(path)) === path;
}

/**
 * Refuses paths of field masks that JSON does not tell from others: protobuf-es writes them, and they come back as more, or as
 * none.
 *
 * @throws UnkeepableError if there is one
 */
export function checkMasks(schema: DescMessage, message: object): void {
  if (holdsMask(schema) && faultIn(schema, message, mask.reason) !== undefined) {
    throw new UnkeepableError("a path of a field mask has no JSON");
  }
}

const holdsMask = anyInside(({ typeName }) => typeName === "google.protobuf.FieldMask");
