import type { ConnectRouter } from "@connectrpc/connect";

type UniversalHandler = ConnectRouter["handlers"][number];

/**
 * Returns a Connect handler whose 405 and 415 responses say which methods and content types are allowed (RFC 9110, section
 * 15.5.6). Connect's own ones have no body. The body is plain text, because a Connect client would read JSON as an error of its
 * protocol.
 */
export function withRefusalText(handler: UniversalHandler): UniversalHandler {
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
