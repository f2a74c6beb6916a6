import { constants, Http2ServerRequest } from "node:http2";
import type { ConnectError } from "@connectrpc/connect";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { errorFor } from "../errors/error.js";

/** What bodies that the gateway keeps until they are whole may cost. */
export interface BodyLimits {
  /** How long one may take to arrive, in milliseconds. Default: 60,000. */
  readonly timeoutMs?: number;
  /** How many bytes of all of them may be kept, with 256 more for each chunk in which they came. Default: 128 MiB. */
  readonly maxBytes?: number;
}

/** The overhead of a chunk in bytes: a body's chunks are kept until the body is complete. */
const CHUNK_BYTES = 256;

/** Why a body is not waited for any longer; `statusCode` is what Fastify looks at. */
export class BodyGivenUp extends Error {
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
  /** The number of error listeners at the start. */
  readonly listeners: number;
  bytes: number;
}

/**
 * Bounds the bodies that are on their way, of all callers together: a body that takes too long is given up, and so is the
 * oldest one when too much is kept. Those who hold what they began pay, not those who come after them.
 */
export class BodyGuard {
  /** In the order in which they began. */
  readonly #bodies = new Set<Body>();
  readonly #timeoutMs: number;
  readonly #maxBytes: number;
  #bytes = 0;

  constructor({ timeoutMs = 60_000, maxBytes = 128 * 1024 * 1024 }: BodyLimits = {}) {
    this.#timeoutMs = timeoutMs;
    this.#maxBytes = maxBytes;
  }

  /** Guards the bodies of a scope's requests, which its parsers read. */
  guard(scope: FastifyInstance): void {
    // Added in the same turn as the parser's listener, because a listener to `data` starts the flow.
    scope.addHook("preParsing", (request, reply, payload, next) => {
      if (hasBody(request.raw)) request.raw.on("data", this.#watch(request, reply));
      next(null, payload);
    });
  }

  /** Bounds the time alone of a body that is read in another way. */
  time(request: FastifyRequest, reply: FastifyReply): void {
    if (hasBody(request.raw)) this.#watch(request, reply);
  }

  /** Returns what counts a body's bytes. */
  #watch(request: FastifyRequest, reply: FastifyReply): (chunk: Buffer) => void {
    const { raw } = request;
    const timer = setTimeout(() => {
      const text = `the body took longer than ${this.#timeoutMs / 1000} s to arrive`;
      giveUp(body, new BodyGivenUp(errorFor("BODY_TOO_SLOW", text), 408));
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
      if (this.#bytes > this.#maxBytes) this.#giveUpOldest();
    };
  }

  #giveUpOldest(): void {
    for (const oldest of this.#bodies) {
      if (oldest.bytes === 0) continue;
      const text = "too many bodies are on their way, and this one is the oldest: send it again";
      giveUp(oldest, new BodyGivenUp(errorFor("INCOMPLETE_MESSAGES_OVER_LIMIT", text), 429));
      return;
    }
  }
}

function hasBody(raw: FastifyRequest["raw"]): boolean {
  if (raw instanceof Http2ServerRequest) return !raw.stream.endAfterHeaders;
  return raw.headers["transfer-encoding"] !== undefined || Number(raw.headers["content-length"] ?? 0) > 0;
}

/** Fails the reader of a body, which reports it to the caller; the rest of the body is not awaited. */
function giveUp({ request, reply, listeners }: Body, error: BodyGivenUp): void {
  const raw: unknown = request.raw;
  if (request.raw.listenerCount("error") <= listeners) request.raw.destroy();
  else {
    if (raw instanceof Http2ServerRequest) reply.raw.once("finish", () => raw.stream.close(constants.NGHTTP2_NO_ERROR));
    else reply.header("connection", "close");
    request.raw.emit("error", error);
  }
}
