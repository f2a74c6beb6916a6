import { Code, ConnectError } from "@connectrpc/connect";
import { type DestinationStream, type Logger, pino, stdSerializers, stdTimeFunctions } from "pino";
import { type Dropped, LogWriter } from "./log-writer.js";

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
 * causes. Lines go to standard output, at once, so that none is lost when the process dies. What cannot be written, or is
 * too much, is dropped and counted.
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
  return pino(settings, destination ?? new LogWriter({ report: (dropped) => reportOf(settings, dropped) }));
}

/** The line that says what was dropped, in the form of the others. */
function reportOf(settings: LoggerOptions & object, { lines, reason }: Dropped): string {
  const written: string[] = [];
  const log = pino({ ...settings, level: "warn" }, { write: (line) => written.push(line) });
  log.warn({ dropped: lines, reason }, reasons[reason] ?? "log lines were dropped: they could not be written");
  return written.join("");
}

const reasons: Readonly<Record<string, string>> = {
  RATE: "log lines were dropped: more than 1 MiB a second was logged",
  ENOSPC: "log lines were dropped: there was no room on the disk",
  EDQUOT: "log lines were dropped: the disk quota was used up",
};

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
