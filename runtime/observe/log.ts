import { Code, ConnectError } from "@connectrpc/connect";
import {
  type DestinationStream,
  type Logger,
  pino,
  destination as pinoDestination,
  stdSerializers,
  stdTimeFunctions,
} from "pino";

export type { Logger };

/** What is logged, from everything to nothing. */
export const logLevels = ["trace", "debug", "info", "warn", "error", "fatal", "silent"] as const;

export type LogLevel = (typeof logLevels)[number];

export interface LoggerOptions {
  /** The process's name, on every line: "orders", "gateway". */
  readonly name: string;
  /** The least level that is written. Default: info. */
  readonly level?: LogLevel;
}

/**
 * Logs one JSON object a line, with the time in RFC 3339, the level as a word, and an error, given as `err`, with its
 * causes. Lines go to standard output, at once, so that none is lost when the process dies.
 *
 *     log.info({ port }, "listening");
 *     log.error({ err }, "the call failed");
 */
export function createLogger(options: LoggerOptions, destination?: DestinationStream): Logger {
  const settings = {
    name: options.name,
    level: options.level ?? "info",
    base: { pid: process.pid },
    timestamp: stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    serializers: { err: serializeError },
  };
  // Without sync, pino hands lines to the system later.
  return pino(settings, destination ?? pinoDestination({ dest: 1, sync: true }));
}

/** An RPC's error is logged with its code as a word, and without metadata and details, which may hold users' data. */
function serializeError(error: unknown): unknown {
  if (!(error instanceof ConnectError)) return error instanceof Error ? stdSerializers.errWithCause(error) : error;
  return {
    type: error.name,
    code: Code[error.code],
    message: error.rawMessage,
    stack: error.stack,
    ...(error.cause === undefined ? {} : { cause: serializeError(error.cause) }),
  };
}
