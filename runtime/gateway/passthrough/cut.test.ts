import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { rpcTransports } from "../../config/transport.js";
import { Flag, FrameType } from "../../http2/frames.js";
import { frame, Peer } from "../../http2/testing/peer.js";
import { createServerAdapter } from "../../server/adapter.js";
import { type Listener, listen } from "../../server/listen.js";
import type { RunningGateway } from "../start.js";
import { calls, cutEverywhere, cuts, restCalls, type Sent, Witness } from "../testing/cut.js";
import { startGatewayTo } from "../testing/gateway.js";

// The e2e test of the same name cuts before every byte.
const STEP = 13;

describe.each(rpcTransports)("calls to a service on %s", (transport) => {
  const witness = new Witness();
  let service: Listener;
  let gateway: RunningGateway;
  beforeAll(async () => {
    service = await listen({
      ...createServerAdapter({ routes: witness.routes, transport }),
      host: "127.0.0.1",
      port: 0,
    });
    gateway = await startGatewayTo(`http://127.0.0.1:${service.port}`);
  });
  afterAll(async () => {
    await gateway.stop();
    await service.drain(0);
  });

  test.each(cuts)("are not carried out if broken off by $name", async (cut) => {
    const wrong: string[] = [];
    for (const call of calls) wrong.push(...(await cutEverywhere(service.port, witness, call, cut, STEP)));
    expect(wrong).toEqual([]);
  });

  test.each(cuts)("are not carried out if broken off by $name at a gateway", async (cut) => {
    const wrong: string[] = [];
    for (const call of [...calls, ...restCalls]) {
      wrong.push(...(await cutEverywhere(gateway.port, witness, call, cut, STEP)));
    }
    expect(wrong).toEqual([]);
  });

  describe("are not carried out if their streams are half there when", () => {
    const half = calls.filter(({ path }) => path.endsWith("CreateUsers"));

    /** Sends all of a stream but its end. */
    async function begin(port: number, { path, contentType, body }: Sent, more: string[] = []): Promise<Peer> {
      const peer = await Peer.connect(port);
      const fields = [":method", "POST", ":scheme", "http", ":path", path, ":authority", "localhost", "x-call", "half"];
      const block = peer.block([...fields, "content-type", contentType, ...more]);
      peer.write(frame(FrameType.HEADERS, Flag.END_HEADERS, 1, block), frame(FrameType.DATA, 0, 1, body));
      return peer;
    }

    test.each(half)("the deadline of $name passes", async (call) => {
      const timeout = call.contentType.includes("connect") ? ["connect-timeout-ms", "30"] : ["grpc-timeout", "30m"];
      const peer = await begin(gateway.port, call, timeout);
      await peer.end(1);
      peer.socket.destroy();
      await ended();
    });

    test.each([0, 1_000])("the gateway stops, and waits for %d ms", async (drainTimeoutMs) => {
      const stopped = await startGatewayTo(`http://127.0.0.1:${service.port}`, { drainTimeoutMs });
      const peers = await Promise.all(half.map((call) => begin(stopped.port, call)));
      while (witness.begun < half.length) await new Promise((resolve) => setTimeout(resolve, 1));
      await stopped.stop();
      for (const peer of peers) peer.socket.destroy();
      await ended();
    });

    /** No handler waits any more, and none has done anything. */
    async function ended() {
      while (witness.begun > witness.cancelled + witness.carriedOut.length) {
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
      witness.begun = witness.cancelled = 0;
      expect(witness.carriedOut.splice(0)).toEqual([]);
    }
  });
});
