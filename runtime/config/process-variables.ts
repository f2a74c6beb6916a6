import { logLevels } from "../observe/log.js";
import { milliseconds, oneOf, port, text } from "./environment.js";
import { allowedHostsVariable } from "./hosts.js";
import { tlsVariables } from "./tls.js";
import { rpcCompressionVariable, rpcTransportVariable } from "./transport.js";
import type { Variables } from "./variables.js";

/** The rows that services and gateways have in common. */
export const processVariables = {
  PORT: {
    reader: port(),
    meaning: "The port to listen on. 0 lets the system choose a free one.",
  },
  HOST: {
    reader: { ...text("127.0.0.1"), expected: "an address of this machine" },
    meaning: "The address to listen on.",
  },
  ALLOWED_HOSTS: {
    reader: allowedHostsVariable,
    meaning: "The hosts by which callers may address it, or `*` for any.",
  },
  ...tlsVariables,
  RPC_TRANSPORT: {
    reader: rpcTransportVariable,
    meaning:
      "The gRPC implementation: `native`, or `node` for connect-node over `node:http2`. `own`, the former name of `native`, works until the next release, with a warning.",
  },
  RPC_COMPRESSION: {
    reader: rpcCompressionVariable,
    meaning: "`gzip`: its calls compress messages of 16 KiB and more, and ask for compressed responses.",
  },
  LOG_LEVEL: {
    reader: oneOf(logLevels, "info"),
    meaning: "The lowest level that is logged.",
  },
  DRAIN_TIMEOUT_MS: {
    reader: milliseconds(10_000),
    meaning: "How long calls in flight may take when it shuts down.",
  },
} satisfies Variables<unknown>;
