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

/** A route, and how its method is called: by a client of its service. */
export interface RestRoute extends Route {
  /** The contract's deadline; undefined for a method without a time limit. */
  readonly timeoutMs: number | undefined;
  /** Returns a promise of a message for a unary method, an iterable of messages for a server-streaming one. */
  call(request: Message, options: CallOptions): Promise<Message> | AsyncIterable<Message>;
  /** Calls `done` once every call that has been given up by now has ended in the service, or the service knows. */
  afterResets(done: () => void): void;
}

export interface RestOptions {
  /** Routes of client-streaming methods are left out: HTTP with JSON cannot express them. */
  readonly routes: readonly RestRoute[];
  /** The full names of the services whose RPC calls are passed through: their paths are reserved. */
  readonly services: readonly string[];
  /** Types that a google.protobuf.Any may hold. */
  readonly types: Registry;
  /** Aborted when the process begins to drain: calls that may take forever end then. */
  readonly draining: AbortSignal;
  /** Whether something else is served at a path, to GET and HEAD. */
  isPage(path: string): boolean;
}

interface Endpoint extends RestRoute {
  readonly transcoder: Transcoder;
}

/** A request on its way to its method. */
interface MatchedRequest {
  readonly endpoint: Endpoint;
  readonly values: readonly PathValue[];
}

/**
 * A Fastify plugin that answers REST requests by google.api.http: every path that nothing else has taken. Bodies are
 * JSON; answers are JSON, or newline-delimited JSON for a server-streaming method; errors are google.rpc.Status.
 */
export async function rest(
  app: FastifyInstance,
  { routes, services, types, draining, isPage }: RestOptions,
): Promise<void> {
  // A route that cannot be served must not keep the others from being served.
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
  // Read as bytes: the message type determines how they are decoded.
  app.addContentTypeParser(/^application\/json(;|$)/, { parseAs: "buffer" }, (_request, bytes, done) => {
    done(null, bytes.length === 0 ? undefined : bytes);
  });
  app.setErrorHandler(async (error, request, reply) => {
    if (isTooLarge(error)) await discard(request.raw);
    return sendError(reply, error, types);
  });

  // Checked before the body is read, because a refused request's body need not be received.
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
    // Also those that no route has, to say which it has. OPTIONS is for CORS.
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
          // By then the call has given up its stream.
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
            const answer = endpoint.call(message, options);
            return Symbol.asyncIterator in answer
              ? sendStream(reply, endpoint.transcoder, answer[Symbol.asyncIterator]())
              : sendOne(reply, endpoint.transcoder, answer);
          },
        );
      } finally {
        reply.headers(Object.fromEntries(responseHeader));
      }
    },
  });

  /** A response of one piece has a content length; a larger one is streamed, and broken off if a value has no JSON form. */
  async function sendOne(
    reply: FastifyReply,
    transcoder: Transcoder,
    answer: Promise<Message>,
  ): Promise<string | Readable> {
    const pieces = transcoder.response(await answer);
    const first = pieces.next();
    reply.type("application/json");
    return pieces.isDone ? first : Readable.from(inTurns(pieces, first), { objectMode: false });
  }

  /** The first message decides the HTTP status; an error after it is the last line. */
  async function sendStream(
    reply: FastifyReply,
    transcoder: Transcoder,
    answers: AsyncIterator<Message>,
  ): Promise<Readable> {
    const first = await answers.next();
    async function* lines() {
      try {
        for (let next = first; !next.done; next = await answers.next()) {
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
        await answers.return?.();
      }
    }
    reply.type("application/x-ndjson");
    return Readable.from(lines(), { objectMode: false });
  }
}

/** Pieces with room for others between them: a socket that takes all would keep the event loop to itself. */
async function* inTurns(pieces: JsonPieces, first: string): AsyncGenerator<string> {
  yield first;
  while (!pieces.isDone) {
    await setImmediate();
    yield pieces.next();
  }
}

/** The JSON of a request; undefined if it has no body. */
function bodyText({ body }: FastifyRequest): string | undefined {
  if (body === undefined) return undefined;
  try {
    return jsonText(body as Buffer);
  } catch (error) {
    throw refusedJson(error);
  }
}
