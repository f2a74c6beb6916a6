import { constants, Http2ServerRequest } from "node:http2";
import type { ConnectError } from "@connectrpc/connect";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { errorFor } from "../errors/error.js";

/** The limits of request bodies that the gateway buffers until they are complete. */
export interface BodyLimits {
  /** The maximum time for a body to arrive, in milliseconds. Default: 60,000. */
  readonly timeoutMs?: number;
  /** The maximum number of buffered bytes of all incomplete bodies, with 256 more for each chunk. Default: 128 MiB. */
  readonly maxBytes?: number;
}

/** The memory overhead of a buffered chunk, in bytes. */
const CHUNK_BYTES = 256;

/** The error of a body that exceeds the limits. Fastify reads `statusCode`. */
export class BodyLimitError extends Error {
  constructor(
    readonly error: ConnectError,
    readonly statusCode: number,
  ) {
    super(error.message);
  }
}

interface Body {
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  /** The number of error listeners before a parser reads the body. */
  readonly listeners: number;
  bytes: number;
}

/**
 * Bounds the incomplete request bodies of all callers together. A body that takes too long fails. If too many bytes are buffered,
 * the oldest incomplete body fails: its caller holds it back, while later callers may be sending theirs without a pause.
 */
export class BodyGuard {
  /** The incomplete bodies, the oldest one first. */
  readonly #bodies = new Set<Body>();
  readonly #timeoutMs: number;
  readonly #maxBytes: number;
  #bytes = 0;

  constructor({ timeoutMs = 60_000, maxBytes = 128 * 1024 * 1024 }: BodyLimits = {}) {
    this.#timeoutMs = timeoutMs;
    this.#maxBytes = maxBytes;
  }

  /** Bounds the time and the memory of the bodies that the parsers of a scope read. */
  guard(scope: FastifyInstance): void {
    // A `data` listener starts the flow, so it is added in the same turn of the event loop as the parser's own.
    scope.addHook("preParsing", (request, reply, payload, next) => {
      if (hasBody(request.raw)) request.raw.on("data", this.#watch(request, reply));
      next(null, payload);
    });
  }

  /** Bounds only the time of a body, for one that is not buffered. */
  time(request: FastifyRequest, reply: FastifyReply): void {
    if (hasBody(request.raw)) this.#watch(request, reply);
  }

  /** Starts the timeout of a body. Returns a function that counts a chunk of it. */
  #watch(request: FastifyRequest, reply: FastifyReply): (chunk: Buffer) => void {
    const { raw } = request;
    const timer = setTimeout(() => {
      const text = `the body took longer than ${this.#timeoutMs / 1000} s to arrive`;
      failBody(body, new BodyLimitError(errorFor("BODY_TOO_SLOW", text), 408));
    }, this.#timeoutMs);
    const done = () => {
      clearTimeout(timer);
      if (this.#bodies.delete(body)) this.#bytes -= body.bytes;
    };
    raw.once("end", done).once("error", done).once("close", done);
    const body: Body = { request, reply, listeners: raw.listenerCount("error"), bytes: 0 };
    this.#bodies.add(body);
    return ({ length }) => {
      if (!this.#bodies.has(body)) return;
      body.bytes += length + CHUNK_BYTES;
      this.#bytes += length + CHUNK_BYTES;
      if (this.#bytes > this.#maxBytes) this.#failOldest();
    };
  }

  #failOldest(): void {
    for (const oldest of this.#bodies) {
      if (oldest.bytes === 0) continue;
      const text = "too many bodies are on their way, and this one is the oldest: send it again";
      failBody(oldest, new BodyLimitError(errorFor("INCOMPLETE_MESSAGES_OVER_LIMIT", text), 429));
      return;
    }
  }
}

function hasBody(raw: FastifyRequest["raw"]): boolean {
  if (raw instanceof Http2ServerRequest) return !raw.stream.endAfterHeaders;
  return raw.headers["transfer-encoding"] !== undefined || Number(raw.headers["content-length"] ?? 0) > 0;
}

/** Fails the parser of a body, so that the caller gets the error. Does not wait for the rest of the body. */
function failBody({ request, reply, listeners }: Body, error: BodyLimitError): void {
  const raw: unknown = request.raw;
  if (request.raw.listenerCount("error") <= listeners) request.raw.destroy();
  else {
    if (raw instanceof Http2ServerRequest) reply.raw.once("finish", () => raw.stream.close(constants.NGHTTP2_NO_ERROR));
    else reply.header("connection", "close");
    request.raw.emit("error", error);
  }
}
