import { Code, ConnectError } from "@connectrpc/connect";
import { errorFor } from "../errors/error.js";
import type { Connection } from "../http2/connection.js";
import { type CallSetup, ClientCall, markAnswered } from "./client-call.js";
import { frameMessage } from "./frame.js";
import { compressFrame } from "./gzip.js";
import { UnreadMessage } from "./unread-message.js";

/** A call with one request and one response. */
export class UnaryClientCall extends ClientCall {
  #response: unknown;

  constructor(
    setup: CallSetup,
    private readonly request: unknown,
    private readonly resolve: (message: unknown, call: ClientCall) => void,
    private readonly reject: (error: ConnectError) => void,
  ) {
    super(setup);
  }

  ready(connection: Connection): void {
    if (this.isOver) return;
    let framed: Uint8Array;
    try {
      framed = frameMessage(this.setup.input, this.request);
    } catch (error) {
      this.end(ConnectError.from(error, Code.Internal));
      return;
    }
    const stream = this.open(connection);
    if (!this.isLong(framed)) {
      stream.sendLastData(framed);
      return;
    }
    compressFrame(framed).then(
      (bytes) => stream.sendLastData(bytes),
      (error) => this.end(ConnectError.from(error)),
    );
  }

  received(message: unknown): void {
    if (this.#response !== undefined) {
      throw errorFor("MESSAGE_COUNT_WRONG", "protocol error: received extra output message for unary method");
    }
    this.#response = message;
  }

  protected responded(): void {}

  protected get hasUnread(): boolean {
    return false;
  }

  protected override release(): void {
    super.release();
    this.unlinkSignal();
  }

  protected succeed(): void {
    const response = this.#response;
    if (response === undefined) {
      const text = "protocol error: missing output message for unary method";
      this.reject(markAnswered(errorFor("MESSAGE_COUNT_WRONG", text, { metadata: this.responseTrailer() })));
    } else if (response instanceof UnreadMessage) {
      response.read().then((message) => this.resolve(message, this), this.reject);
    } else this.resolve(response, this);
  }

  protected fail(error: ConnectError): void {
    this.reject(error);
  }
}
