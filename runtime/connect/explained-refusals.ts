import type { ConnectRouter } from "@connectrpc/connect";

type UniversalHandler = ConnectRouter["handlers"][number];

/**
 * Has a handler of Connect's, which refuses a method or a content type without a word, say what it takes (RFC 9110, 15.5.6).
 * It does so in plain text: whoever speaks Connect takes JSON of such a response for an error of that protocol.
 */
export function explainsRefusals(handler: UniversalHandler): UniversalHandler {
  const { requestPath, allowedMethods } = handler;
  const allow = allowedMethods.join(", ");
  const handle = async (request: Parameters<UniversalHandler>[0]) => {
    const response = await handler(request);
    if (response.body !== undefined) return response;
    const { method } = request;
    switch (response.status) {
      case 405:
        return refusal(method, 405, `${requestPath} does not answer ${method}, but ${allow}`, { allow });
      case 415: {
        const types = "application/json, application/proto, or a content type of gRPC, gRPC-Web or Connect";
        return refusal(method, 415, `${requestPath} takes ${types}`);
      }
      default:
        return response;
    }
  };
  return Object.assign(handle, { ...handler });
}

function refusal(method: string, status: number, message: string, headers: Record<string, string> = {}) {
  const body = Buffer.from(`${message}\n`);
  const type = "text/plain; charset=utf-8";
  const header = new Headers({ ...headers, "content-type": type, "content-length": String(body.length) });
  return { status, header, body: method === "HEAD" ? undefined : once(body) };
}

async function* once<T>(value: T): AsyncGenerator<T> {
  yield value;
}
