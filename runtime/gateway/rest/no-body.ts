import { Http2ServerRequest } from "node:http2";
import { errorCodes, type FastifyRequest } from "fastify";
import { errorFor } from "../../errors/error.js";

/**
 * Waits for the end of a request whose headers announce no body. Over HTTP/2 the end may come later, and its caller may leave
 * before: a request that was not sent to its end must not be carried out. What comes of a body is refused; GET ignores it.
 *
 * @throws ConnectError CANCELED if the caller breaks the request off
 */
export async function expectNoBody({ method, raw }: FastifyRequest): Promise<void> {
  const request: unknown = raw;
  if (!(request instanceof Http2ServerRequest) || request.stream.endAfterHeaders) return;
  const mayIgnore = method === "GET" || method === "HEAD";
  try {
    for await (const _ of request) if (!mayIgnore) throw new errorCodes.FST_ERR_CTP_INVALID_MEDIA_TYPE("");
  } catch (error) {
    if (!request.aborted) throw error;
    throw errorFor("CALL_CANCELED", "the caller has left", { cause: error });
  }
}
