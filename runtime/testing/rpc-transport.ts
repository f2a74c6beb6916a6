import type { RpcTransport } from "../config/transport.js";

/** What carries the calls of a suite that runs on both: see server/on-node.test.ts. */
export const rpcTransportOfSuite: RpcTransport = process.env.RPC_TRANSPORT === "node" ? "node" : "native";
