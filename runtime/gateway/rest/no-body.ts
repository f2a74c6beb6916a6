import { Http2ServerRequest } from "node:http2";
import { errorCodes, type FastifyRequest } from "fastify";
import { errorFor } from "../../errors/error.js";

/**
 * Waits for the end of a request whose headers announce no body. Over HTTP/2, END_STREAM may come in a later frame, and the caller
 * may cancel the request before: an incomplete request must not be executed. A body is refused, except for GET and HEAD, which
 * ignore it.
 *
 * @throws ConnectError CANCELED if the caller cancels the request
 */
export async function expectNoBody({ method, raw }: FastifyRequest): Promise<void> {
  const request: unknown = raw;
  if (!(request instanceof Http2ServerRequest) || request.stream.endAfterHeaders) return;
  const mayIgnore = method === "GET" || method === "HEAD";
  try {
    for await (const _ of request) if (!mayIgnore) throw new errorCodes.FST_ERR_CTP_INVALID_MEDIA_TYPE("");
  } catch (error) {
    if (!request.aborted) throw error;
    throw errorFor("CALL_CANCELLED", "the caller has left", { cause: error });
  }
}
