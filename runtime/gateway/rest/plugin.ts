import { Readable } from "node:stream";
import { setImmediate } from "node:timers/promises";
import type { Message, Registry } from "@bufbuild/protobuf";
import { type CallOptions, ConnectError } from "@connectrpc/connect";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { refusedJson } from "../../call/refused-json.js";
import { jsonText } from "../../codec/protojson/json-text.js";
import type { JsonPieces } from "../../codec/protojson/write.js";
import { errorFor } from "../../errors/error.js";
import { timedCall } from "../../observe/timing.js";
import type { Route } from "../../spec/route.js";
import { Caller } from "../callers.js";
import { cancellationSignal } from "../cancellation.js";
import { discard } from "./discard.js";
import { requestMetadata, responseHeaders } from "./metadata.js";
import { expectNoBody } from "./no-body.js";
import type { PathValue } from "./path.js";
import { isTooLarge, sendError, sendWrongVerb } from "./rest-error.js";
import { Router } from "./router.js";
import { httpError } from "./status.js";
import { Transcoder } from "./transcode.js";

/** A route, and the client function that calls its method. */
export interface RestRoute extends Route {
  /** The contract's deadline; undefined for a method without a time limit. */
  readonly timeoutMs: number | undefined;
  /** Returns a promise of a message for a unary method, an iterable of messages for a server-streaming one. */
  call(request: Message, options: CallOptions): Promise<Message> | AsyncIterable<Message>;
  /** Calls `done` once the stream of every call that was cancelled before has been reset, or has ended. */
  afterResets(done: () => void): void;
}

export interface RestOptions {
  /** Routes of client-streaming methods are skipped: REST cannot express them. */
  readonly routes: readonly RestRoute[];
  /** The full names of the services whose RPC calls are forwarded: their paths are reserved. */
  readonly services: readonly string[];
  /** The message types that a google.protobuf.Any may contain. */
  readonly types: Registry;
  /** Aborted when the process begins to drain, which ends calls without a deadline. */
  readonly draining: AbortSignal;
  /** Returns whether a page or a file is served at a path, by GET and HEAD. */
  isPage(path: string): boolean;
}

interface Endpoint extends RestRoute {
  readonly transcoder: Transcoder;
}

/** The route of a request, and the values from its path. */
interface MatchedRequest {
  readonly endpoint: Endpoint;
  readonly values: readonly PathValue[];
}

/**
 * A Fastify plugin that serves REST by google.api.http, on all paths without another route. Request bodies are JSON. Responses are
 * JSON, or newline-delimited JSON for a server-streaming method. Errors are google.rpc.Status.
 */
export async function rest(
  app: FastifyInstance,
  { routes, services, types, draining, isPage }: RestOptions,
): Promise<void> {
  // An invalid route is skipped, so that the gateway can serve the others.
  const skip = ({ method, verb, path }: Route, problem: string) =>
    app.log.error(
      { method: `${method.parent.typeName}/${method.name}`, route: `${verb} ${path}`, problem },
      "route skipped",
    );
  const endpoints = routes
    .filter(({ method }) => method.methodKind === "unary" || method.methodKind === "server_streaming")
    .flatMap((route): Endpoint[] => {
      try {
        return [{ ...route, transcoder: new Transcoder(route, types) }];
      } catch (error) {
        skip(route, (error as Error).message);
        return [];
      }
    });
  const router = new Router(endpoints, services, skip);
  const matches = new WeakMap<FastifyRequest, MatchedRequest>();

  app.removeAllContentTypeParsers();
  // Bodies stay bytes here: the transcoder decodes them by their message type.
  app.addContentTypeParser(/^application\/json(;|$)/, { parseAs: "buffer" }, (_request, bytes, done) => {
    done(null, bytes.length === 0 ? undefined : bytes);
  });
  app.setErrorHandler(async (error, request, reply) => {
    if (isTooLarge(error)) await discard(request.raw);
    return sendError(reply, error, types);
  });

  // `onRequest` runs before the body is read, so that a refused request's body is not received.
  app.addHook("onRequest", async (request, reply) => {
    const path = request.url.split("?", 1)[0]!;
    const match = router.match(request.method, path);
    if (match.kind === "found") {
      const encoding = request.headers["content-encoding"] ?? "identity";
      if (encoding !== "identity") {
        const error = errorFor("BODY_INVALID", `the body must not be encoded (${encoding}): send it as it is`);
        return sendError(reply.header("accept-encoding", "identity"), error, types, 415);
      }
      matches.set(request, { endpoint: match.route, values: match.values });
      return;
    }
    const verbs = new Set([
      ...(match.kind === "wrong-verb" ? match.allow : []),
      ...(isPage(path) ? ["GET", "HEAD"] : []),
    ]);
    if (verbs.size === 0) throw errorFor("PATH_NOT_FOUND", `nothing is found at ${path}`);
    return sendWrongVerb(request, reply, [...verbs].sort(), types);
  });

  app.route({
    // Includes methods that no route has, for a 405 with `Allow`. CORS handles OPTIONS.
    method: app.supportedMethods.filter((method) => method !== "OPTIONS"),
    url: "/*",
    async handler(request, reply) {
      const { endpoint, values } = matches.get(request)!;
      const caller = new Caller(request.raw);
      const refusal = caller.refusal();
      if (refusal !== undefined) throw refusal;
      if (request.body === undefined) await expectNoBody(request);
      const [, query = ""] = request.url.split(/\?(.*)/s);
      const message = endpoint.transcoder.request(values, query, bodyText(request));
      const headers = requestMetadata(request.headers);
      const options = {
        headers,
        signal: cancellationSignal(reply, endpoint.timeoutMs === undefined ? draining : undefined, () => {
          const ended = caller.countCancelled();
          // In the next turn, the call has cancelled its stream.
          void setImmediate().then(() => endpoint.afterResets(ended));
        }),
        onHeader: (metadata: Headers) => void reply.headers(responseHeaders(metadata)),
      };
      const responseHeader = new Headers();
      try {
        return await timedCall<string | Readable>(
          { requestHeader: headers, responseHeader },
          "gateway",
          undefined,
          () => {
            const response = endpoint.call(message, options);
            return Symbol.asyncIterator in response
              ? sendStream(reply, endpoint.transcoder, response[Symbol.asyncIterator]())
              : sendOne(reply, endpoint.transcoder, response);
          },
        );
      } finally {
        reply.headers(Object.fromEntries(responseHeader));
      }
    },
  });

  /** Sends the response of a unary method. A long one is streamed in pieces, and aborted if a value has no JSON form. */
  async function sendOne(
    reply: FastifyReply,
    transcoder: Transcoder,
    response: Promise<Message>,
  ): Promise<string | Readable> {
    const pieces = transcoder.response(await response);
    const first = pieces.next();
    reply.type("application/json");
    return pieces.isDone ? first : Readable.from(inTurns(pieces, first), { objectMode: false });
  }

  /** Sends a response stream. An error before the first message sets the HTTP status; a later one is sent as the last line. */
  async function sendStream(
    reply: FastifyReply,
    transcoder: Transcoder,
    responses: AsyncIterator<Message>,
  ): Promise<Readable> {
    const first = await responses.next();
    async function* lines() {
      try {
        for (let next = first; !next.done; next = await responses.next()) {
          const pieces = transcoder.response(next.value);
          const piece = pieces.next();
          if (pieces.isDone) yield `${piece}\n`;
          else {
            yield* inTurns(pieces, piece);
            yield "\n";
          }
        }
      } catch (error) {
        yield `${JSON.stringify({ error: httpError(ConnectError.from(error), types).body })}\n`;
      } finally {
        await responses.return?.();
      }
    }
    reply.type("application/x-ndjson");
    return Readable.from(lines(), { objectMode: false });
  }
}

/** Yields pieces in separate turns of the event loop: a socket that accepts every write would block the process otherwise. */
async function* inTurns(pieces: JsonPieces, first: string): AsyncGenerator<string> {
  yield first;
  while (!pieces.isDone) {
    await setImmediate();
    yield pieces.next();
  }
}

/** Returns the JSON text of a request's body; undefined if there is no body. */
function bodyText({ body }: FastifyRequest): string | undefined {
  if (body === undefined) return undefined;
  try {
    return jsonText(body as Buffer);
  } catch (error) {
    throw refusedJson(error);
  }
}
