import type { DescMethod } from "@bufbuild/protobuf";
import type { ConnectError } from "@connectrpc/connect";
import type { Connection } from "../http2/connection.js";

/**
 * Chooses the connection of each call of a client. A channel is the dispatcher of one address; one that balances has a channel
 * for each address that it knows.
 */
export interface Dispatcher {
  /** Tells `caller` the connection on which its call is to be sent: at once, or when there is one. */
  take(caller: PendingCall, call: DispatchedCall): void;
  /** The call has ended, or is given up. Called once for each call that was taken. */
  leave(caller: PendingCall): void;
  /** Calls `done` once every call that has been given up by now has been reset, or has ended. */
  afterResets(done: () => void): void;
  /** Ends every connection and every call. There are no more. */
  close(): void;
}

/** A call that needs a connection. */
export interface PendingCall {
  /** There is room on a connection: the call opens its stream now. */
  ready(connection: Connection): void;
  /** None could be had. */
  failed(error: ConnectError): void;
  /** Why the call failed. Known when it leaves; undefined if it did not fail. */
  readonly error: ConnectError | undefined;
}

/** What a dispatcher may choose by. */
export interface DispatchedCall {
  readonly method: DescMethod;
}
