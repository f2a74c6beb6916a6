import type { DescMessage, DescMethod } from "@bufbuild/protobuf";
import { ConnectError, type HandlerContext } from "@connectrpc/connect";
import { LoneSurrogateError, loneSurrogateIn } from "../codec/lone-surrogate.js";
import { errorFor, withReasonOf } from "../errors/error.js";
import { encodedDetail } from "./error-detail.js";

type Implementation = (request: unknown, context: HandlerContext) => unknown;

/**
 * Has an implementation's errors be ones that Connect can tell. With `checks`, it fails with INTERNAL where it answers with a string
 * that is no text, as our own codecs do while they write: Connect would replace half a character in binary, and send it in JSON.
 */
export function answersText(
  { methodKind, output }: DescMethod,
  implementation: Implementation,
  checks: boolean,
): Implementation {
  const checked = checks ? (message: unknown) => checkedText(output, message) : (message: unknown) => message;
  if (methodKind === "unary" || methodKind === "client_streaming") {
    return async (request, context) => {
      try {
        return checked(await implementation(request, context));
      } catch (error) {
        throw error instanceof ConnectError ? encoded(tellable(error)) : error;
      }
    };
  }
  return (request, context) => checkedEach(implementation(request, context) as AsyncIterable<unknown>, checked);
}

/** An error that is text: INTERNAL in place of one whose details are none, for they cannot be told. */
export function tellable(error: ConnectError): ConnectError {
  const { rawMessage, code, metadata, details, cause } = error;
  for (const detail of details) {
    const place = "desc" in detail ? loneSurrogateIn(detail.desc, detail.value) : undefined;
    if (place === undefined || !("desc" in detail)) continue;
    const fault = new LoneSurrogateError(`${detail.desc.typeName}.${place}`);
    return errorFor("RESPONSE_INVALID", `${rawMessage.toWellFormed()}: ${fault.message}`, { metadata, cause: error });
  }
  if (rawMessage.isWellFormed()) return error;
  const told = new ConnectError(rawMessage.toWellFormed(), code, metadata, undefined, cause);
  told.details.push(...details);
  return withReasonOf(error, told);
}

/** The same error with its details in bytes, and as JSON beside them: Connect would make both with protobuf-es. */
function encoded(error: ConnectError): ConnectError {
  if (!error.details.some((detail) => "desc" in detail)) return error;
  const { rawMessage, code, metadata, cause } = error;
  const told = new ConnectError(rawMessage, code, metadata, undefined, cause);
  told.details.push(...error.details.map(encodedDetail));
  return withReasonOf(error, told);
}

function checkedEach(messages: AsyncIterable<unknown>, checked: (message: unknown) => unknown): AsyncIterable<unknown> {
  return {
    [Symbol.asyncIterator]() {
      const iterator = messages[Symbol.asyncIterator]();
      const leave = async () => (await iterator.return?.()) ?? { done: true, value: undefined };
      return {
        async next() {
          try {
            const result = await iterator.next();
            return result.done ? result : { done: false, value: checked(result.value) };
          } catch (error) {
            await leave();
            throw error instanceof ConnectError ? encoded(tellable(error)) : error;
          }
        },
        return: leave,
      };
    },
  };
}

function checkedText(schema: DescMessage, message: unknown): unknown {
  const place = typeof message === "object" && message !== null ? loneSurrogateIn(schema, message) : undefined;
  if (place === undefined) return message;
  const error = new LoneSurrogateError(`${schema.typeName}.${place}`);
  throw errorFor("RESPONSE_INVALID", error.message, { cause: error });
}
