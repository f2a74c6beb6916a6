import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import { Code } from "@connectrpc/connect";
import { jsonType, statusJson } from "./http-error.js";

/** A text that is served beside the calls, by GET and HEAD, to monitors and people. */
export interface HttpPage {
  readonly contentType: string;
  text(): string | Promise<string>;
  /** The status of its response. Default: 200. */
  status?(): number;
}

/** Pages by their paths: `/metrics`. */
export type Pages = Readonly<Record<string, HttpPage>>;

/** A page's response to one request. */
export interface PageResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

/** Returns what a page says to a request. Never rejects: a page that fails says so. */
export async function respond(page: HttpPage, path: string, method: string): Promise<PageResponse> {
  if (method !== "GET" && method !== "HEAD") {
    const message = `${path} does not answer ${method}, but GET, HEAD`;
    return response(405, jsonType, statusJson(Code.Unimplemented, message), { allow: "GET, HEAD" });
  }
  try {
    return response(page.status?.() ?? 200, page.contentType, await page.text());
  } catch {
    return response(500, jsonType, statusJson(Code.Internal, `${path} cannot be made`));
  }
}

function response(status: number, type: string, text: string, more: Record<string, string> = {}): PageResponse {
  const body = Buffer.from(text);
  const headers = { "content-type": type, "content-length": String(body.length), ...more };
  return { status, headers, body };
}

/** Serves pages over HTTP/1.1, or by node:http2, and leaves every other path to `next`. */
export function withPages(pages: Pages, next: RequestListener): RequestListener {
  return (request: IncomingMessage, answer: ServerResponse) => {
    const path = (request.url ?? "").split("?", 1)[0] as string;
    const page = Object.hasOwn(pages, path) ? pages[path] : undefined;
    if (page === undefined) {
      next(request, answer);
      return;
    }
    const method = request.method ?? "GET";
    void respond(page, path, method).then(({ status, headers, body }) => {
      answer.writeHead(status, headers);
      answer.end(method === "HEAD" ? undefined : body);
    });
  };
}
