import { createServer, type Http2Server } from "node:http2";
import type { AddressInfo } from "node:net";
import type { DescService, Message } from "@bufbuild/protobuf";
import { Code, ConnectError, createClient, type ServiceImpl, type Transport } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";

/** What happens to calls of one method on their way to a service and back. */
export interface Fault {
  /** "ReserveStock". */
  readonly method: string;
  /** Before the service has seen the call; a promise that never settles loses it. */
  before?(request: Message): Promise<void>;
  /** When the service has answered, and the caller does not know yet. */
  answered?(request: Message): Promise<void>;
  /** When the answer is on its way. */
  after?(request: Message): void;
}

/** A service behind a port of its own, with faults between it and its callers. */
export interface Faulty {
  readonly address: string;
  /** What happens from now on; nothing, if there is none. */
  fault: Fault | undefined;
  /** The names of the methods that were called, in order; every attempt counts. */
  readonly calls: string[];
  /** The names of those that the service has answered with FAILED_PRECONDITION. */
  readonly refusals: string[];
  close(): Promise<void>;
}

/** Puts a network that can fail before a service of unary methods. */
export async function faulty(service: DescService, transport: Transport): Promise<Faulty> {
  const client = createClient(service, transport) as Record<string, (request: Message) => Promise<Message>>;
  const calls: string[] = [];
  const refusals: string[] = [];
  const between: { fault: Fault | undefined } = { fault: undefined };
  const methods = service.methods.map(({ name, localName }) => {
    const call = async (request: Message) => {
      calls.push(name);
      const fault = between.fault?.method === name ? between.fault : undefined;
      await fault?.before?.(request);
      const answer = await client[localName]!(request).catch((error: unknown) => {
        if (ConnectError.from(error).code === Code.FailedPrecondition) refusals.push(name);
        throw error;
      });
      await fault?.answered?.(request);
      if (fault?.after) setImmediate(() => fault.after?.(request));
      return answer;
    };
    return [localName, call] as const;
  });
  const server = createServer(
    connectNodeAdapter({
      routes: (router) => void router.service(service, Object.fromEntries(methods) as ServiceImpl<DescService>),
    }),
  );
  const sessions = new Set<{ destroy(): void }>();
  server.on("session", (session) => {
    sessions.add(session);
    session.on("close", () => sessions.delete(session));
  });
  const address = `http://127.0.0.1:${await listening(server)}`;
  return Object.assign(between, {
    address,
    calls,
    refusals,
    async close() {
      for (const session of sessions) session.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  });
}

function listening(server: Http2Server): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => resolve((server.address() as AddressInfo).port));
  });
}
