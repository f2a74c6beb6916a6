import { once } from "node:events";
import { request as httpRequest, type IncomingMessage } from "node:http";
import { connect } from "node:http2";
import { request as httpsRequest } from "node:https";
import { text } from "node:stream/consumers";

/** One request, sent as it is written here. */
export interface Question {
  readonly version: "1.1" | "2";
  /** Default: GET. */
  readonly method?: string;
  /** The request target as it goes over the wire. */
  readonly target: string;
  readonly headers?: Readonly<Record<string, string | string[]>>;
  readonly body?: string;
  /** The certificate of the authority that the server is believed for. */
  readonly ca?: string;
}

/** The response to it. */
export interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

/** Sends one request on a connection of its own, over HTTP/1.1 or HTTP/2, with TLS (and ALPN) to an https:// origin. */
export async function ask(origin: string, question: Question): Promise<Reply> {
  return question.version === "2" ? askHttp2(origin, question) : askHttp1(origin, question);
}

async function askHttp1(origin: string, { method, target, headers, body, ca }: Question): Promise<Reply> {
  const { hostname, port, protocol } = new URL(origin);
  const send = protocol === "https:" ? httpsRequest : httpRequest;
  const request = send({ hostname, port, ca, method, path: target, headers: { ...headers }, agent: false });
  request.end(body);
  const [response] = (await once(request, "response")) as [IncomingMessage];
  return { status: response.statusCode ?? 0, headers: response.headers, body: await text(response) };
}

async function askHttp2(origin: string, { method = "GET", target, headers, body, ca }: Question): Promise<Reply> {
  const session = connect(origin, { ca });
  try {
    const isConnect = method === "CONNECT";
    const pseudo = isConnect ? { ":method": method, ":authority": target } : { ":method": method, ":path": target };
    const stream = session.request({ ...pseudo, ...headers }, { endStream: body === undefined });
    if (body !== undefined) stream.end(body);
    const [response] = await once(stream, "response");
    const { ":status": status, ...fields } = response as Record<string, string> & { ":status": number };
    return { status, headers: fields, body: await text(stream) };
  } finally {
    session.destroy();
  }
}
