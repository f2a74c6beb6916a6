import type { DescMessage, DescMethod } from "@bufbuild/protobuf";
import { Code, ConnectError, type HandlerContext } from "@connectrpc/connect";
import { LoneSurrogateError, loneSurrogateIn } from "../codec/lone-surrogate.js";

type Implementation = (request: unknown, context: HandlerContext) => unknown;

/**
 * Has an implementation fail with INTERNAL where it answers with a string that is no text, as codecs do: Connect would
 * replace half a character in binary, and send it in JSON.
 */
export function answersText({ methodKind, output }: DescMethod, implementation: Implementation): Implementation {
  if (methodKind === "unary" || methodKind === "client_streaming") {
    return async (request, context) => checked(output, await implementation(request, context));
  }
  return (request, context) => checkedEach(output, implementation(request, context) as AsyncIterable<unknown>);
}

function checkedEach(schema: DescMessage, messages: AsyncIterable<unknown>): AsyncIterable<unknown> {
  return {
    [Symbol.asyncIterator]() {
      const iterator = messages[Symbol.asyncIterator]();
      const leave = async () => (await iterator.return?.()) ?? { done: true, value: undefined };
      return {
        async next() {
          const result = await iterator.next();
          if (result.done) return result;
          try {
            return { done: false, value: checked(schema, result.value) };
          } catch (error) {
            await leave();
            throw error;
          }
        },
        return: leave,
      };
    },
  };
}

function checked(schema: DescMessage, message: unknown): unknown {
  const place = typeof message === "object" && message !== null ? loneSurrogateIn(schema, message) : undefined;
  if (place === undefined) return message;
  const error = new LoneSurrogateError(`${schema.typeName}.${place}`);
  throw new ConnectError(error.message, Code.Internal, undefined, undefined, error);
}
