import { Code, type ConnectRouter } from "@connectrpc/connect";
import { jsonType, statusJson } from "./http-error.js";

type UniversalHandler = ConnectRouter["handlers"][number];

/** Has a handler of Connect's, which refuses a method or a content type without a word, say what it takes (RFC 9110, 15.5.6). */
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
  const code = status === 405 ? Code.Unimplemented : Code.InvalidArgument;
  const body = Buffer.from(statusJson(code, message));
  const header = new Headers({ ...headers, "content-type": jsonType, "content-length": String(body.length) });
  return { status, header, body: method === "HEAD" ? undefined : once(body) };
}

async function* once<T>(value: T): AsyncGenerator<T> {
  yield value;
}
