import type { EventEmitter } from "node:events";
import { type IncomingMessage, type OutgoingHttpHeaders, ServerResponse } from "node:http";
import {
  type ClientHttp2Stream,
  constants,
  type Http2ServerRequest,
  Http2ServerResponse,
  type IncomingHttpHeaders,
} from "node:http2";
import { ConnectError } from "@connectrpc/connect";
import { onAbort } from "../../call/on-abort.js";
import { errorFor } from "../../errors/error.js";
import { EnvelopeMeter } from "../../grpc/incomplete-messages.js";
import type { MethodPolicy } from "../../spec/policy.js";
import { Caller } from "../callers.js";
import { drainingError } from "../cancellation.js";
import { gatewayTiming } from "../timing.js";
import type { Upstream } from "../upstream.js";
import { applyDeadline, startDeadline } from "./deadline.js";
import { ForwardedMessage } from "./forwarded-messages.js";
import { FrameTracker } from "./frames.js";
import { endToEnd } from "./headers.js";
import { connectUnary, type Protocol, protocolOf } from "./protocol.js";
import { resetError } from "./reset-error.js";

/** A request and its response, over HTTP/1.1 or HTTP/2: the common interface of Node.js's classes for the two. */
export interface HttpExchange {
  readonly request: IncomingMessage | Http2ServerRequest;
  readonly response: Pick<ServerResponse, "statusCode" | "headersSent" | "setHeader" | "flushHeaders" | "addTrailers"> &
    EventEmitter & { write(chunk: Uint8Array): boolean; end(chunk?: Uint8Array): unknown };
}

/**
 * A gRPC, gRPC-Web or Connect call that the gateway forwards to its service. The bytes of the request and the response are copied
 * in both directions at once, with back-pressure. If either side cancels, so does the gateway on the other. If the service cannot
 * be reached or the deadline passes, the caller gets an error in its own protocol.
 */
export class ForwardedCall {
  private readonly startedAt = performance.now();
  private readonly contentType: string;
  private readonly protocol: Protocol;
  private readonly frames = new FrameTracker();
  private stream: ClientHttp2Stream | undefined;
  private trailers: OutgoingHttpHeaders = {};
  private settled = false;
  private incomplete: ForwardedMessage | undefined;
  private readonly caller: Caller;
  private cancelDeadline = () => {};
  private readonly onDrain = () => this.fail(drainingError());
  private forgetDrain = () => {};

  constructor(
    private readonly exchange: HttpExchange,
    private readonly upstream: Upstream,
    /** Aborted when the process begins to drain, which ends a call without a deadline. */
    private readonly draining: AbortSignal,
  ) {
    this.caller = new Caller(exchange.request);
    this.contentType = exchange.request.headers["content-type"] ?? "";
    this.protocol = protocolOf(this.contentType);
  }

  /** Starts the call. `policy` is undefined for a method that is missing in the gateway's version of the contract. */
  async start(policy: MethodPolicy | undefined): Promise<void> {
    const { request, response } = this.exchange;
    const headers = endToEnd(request.headers);
    if (this.protocol.te) headers.te = "trailers";
    const timeoutMs = applyDeadline(headers, this.protocol, policy);
    this.cancelDeadline = startDeadline(timeoutMs, (error) => this.fail(error));
    if (timeoutMs === undefined) this.forgetDrain = onAbort(this.draining, this.onDrain);
    response.once("close", () => this.settle()).on("error", () => this.settle());
    const refusal = this.caller.refusal();
    if (refusal !== undefined) {
      this.fail(refusal);
      return;
    }
    try {
      const stream = await this.upstream.open(
        request.method ?? "POST",
        request.url ?? "/",
        headers,
        hasNoBody(request),
      );
      if (this.settled) this.breakOff(stream);
      else this.connect(stream);
    } catch (error) {
      this.fail(ConnectError.from(error));
    }
  }

  private connect(stream: ClientHttp2Stream): void {
    const { request, response } = this.exchange;
    const { session } = stream;
    this.stream = stream;
    stream.once("response", (headers, flags) => this.respond(headers, flags));
    stream.once("trailers", (headers) => {
      this.trailers = endToEnd(headers);
    });
    stream.on("data", (chunk: Buffer) => {
      if (this.protocol.isFramed) this.frames.push(chunk);
      if (!response.write(chunk)) stream.pause();
    });
    response.on("drain", () => this.settled || stream.resume());
    // A reset stream also emits "end". Its "close" event reports the error.
    stream.once("end", () => stream.rstCode === constants.NGHTTP2_NO_ERROR && this.finish());
    stream.on("error", () => undefined);
    stream.once("close", () => this.fail(resetError(this.upstream.name, stream.rstCode, session)));
    if (stream.writableEnded) return;
    this.meter(request);
    // `pipe` would also end the upstream request if the caller's request is interrupted, and the service would run half a call.
    request.pipe(stream, { end: false });
    request.once("end", () => this.settled || stream.end());
    request.once("error", () => this.settle());
  }

  /** Counts the bytes of the incomplete message, which the service has to buffer. */
  private meter(request: HttpExchange["request"]): void {
    const { upstream } = this;
    const connection = ("stream" in request && request.stream.session) || request.socket;
    const incomplete = new ForwardedMessage(upstream.forwardedMessages, connection, (error) => this.fail(error));
    this.incomplete = incomplete;
    // A body without envelopes is one message.
    let bytes = 0;
    const envelopes = this.protocol === connectUnary ? undefined : new EnvelopeMeter();
    request.on("data", (chunk: Buffer) => {
      if (this.settled) return;
      bytes = envelopes === undefined ? bytes + chunk.length : envelopes.read(chunk, 0, chunk.length).bytes;
      incomplete.keep(bytes);
    });
    request.once("end", () => incomplete.end());
  }

  private respond(headers: IncomingHttpHeaders, flags: number): void {
    if (this.settled) return;
    const { request, response } = this.exchange;
    // A service's response to an unknown method has no text.
    if (Number(headers[":status"]) === 404 && headers["content-type"] === undefined) {
      const path = request.url?.split("?", 1)[0];
      this.fail(errorFor("METHOD_NOT_FOUND", `${path} is no method of ${this.upstream.name}`));
      return;
    }
    const timing = gatewayTiming(request.headers, this.startedAt, headers["server-timing"]);
    this.writeHead(Number(headers[":status"]), { ...endToEnd(headers), ...timing });
    // A trailers-only response of gRPC must end with its headers: some clients reject it otherwise.
    if (flags & constants.NGHTTP2_FLAG_END_STREAM) this.finish();
    else response.flushHeaders();
  }

  private finish(): void {
    if (this.settled) return;
    this.settle();
    this.exchange.response.addTrailers(this.trailers);
    this.exchange.response.end();
  }

  /** Sends an error to the caller. Resets the response if it has begun, and its protocol has no place for an error there. */
  private fail(error: ConnectError): void {
    if (this.settled) return;
    this.settle();
    const { response } = this.exchange;
    if (!response.headersSent) {
      const { status, headers, body } = this.protocol.refuse(error, this.contentType);
      this.writeHead(status, headers);
      response.end(body);
      return;
    }
    const ending = this.frames.betweenFrames ? this.protocol.end(error) : undefined;
    if (ending === undefined) breakOff(response);
    else {
      if ("trailers" in ending) response.addTrailers(ending.trailers);
      response.end("frame" in ending ? ending.frame : undefined);
    }
  }

  private writeHead(status: number, headers: OutgoingHttpHeaders): void {
    const { response } = this.exchange;
    response.statusCode = status;
    for (const [name, value] of Object.entries(headers)) {
      if (value !== undefined) response.setHeader(name, value);
    }
  }

  /** Cancels the service's stream. Its reset may be delayed: see ResetPace. */
  private breakOff(stream: ClientHttp2Stream): void {
    stream.close(constants.NGHTTP2_CANCEL);
    if (!stream.destroyed) stream.once("close", this.caller.countCancelled());
  }

  /** Ends the call: cancels the service's stream if it is open. Discards the rest of the request, so that its connection is reusable. */
  private settle(): void {
    if (this.settled) return;
    this.settled = true;
    this.cancelDeadline();
    this.incomplete?.end();
    this.forgetDrain();
    const { request } = this.exchange;
    if (this.stream !== undefined) {
      request.unpipe(this.stream);
      if (!this.stream.closed) this.breakOff(this.stream);
    }
    request.resume();
  }
}

/** Returns whether a request has no body, as far as its headers tell. */
function hasNoBody(request: HttpExchange["request"]): boolean {
  if ("stream" in request) return request.stream.endAfterHeaders;
  return request.headers["content-length"] === undefined && request.headers["transfer-encoding"] === undefined;
}

function breakOff(response: HttpExchange["response"]): void {
  // `close` would end the stream before it resets it, and the caller would take the response for complete.
  if (response instanceof Http2ServerResponse) response.stream.destroy(new Error("the response was broken off"));
  else if (response instanceof ServerResponse) response.destroy();
}
