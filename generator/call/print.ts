import { type DescMessage, fromBinary, type Message, type Registry, toJson } from "@bufbuild/protobuf";
import { Code, type ConnectError } from "@connectrpc/connect";
import pc from "picocolors";
import type { Receiver } from "./call.js";

export interface PrintOptions {
  readonly registry: Registry;
  /** Whether to print fields that have their default value, too. */
  readonly defaults: boolean;
  /** Whether to print headers and trailers on standard error. */
  readonly verbose: boolean;
  /** Whether to spread a document over several lines. */
  readonly pretty: boolean;
}

/** Prints each message as a JSON document on standard output. */
export function printer({ registry, defaults, verbose, pretty }: PrintOptions): Receiver {
  const metadata = (headers: Headers) => {
    if (verbose) for (const [name, value] of headers) process.stderr.write(`${pc.dim(`< ${name}: ${value}`)}\n`);
  };
  return {
    header: metadata,
    trailer: metadata,
    message(schema: DescMessage, message: Message) {
      const json = toJson(schema, message, { registry, alwaysEmitImplicit: defaults });
      process.stdout.write(`${JSON.stringify(json, undefined, pretty ? 2 : 0)}\n`);
    },
  };
}

/** Formats an error: its code, its message, and a line for each of its details. */
export function describeError(error: ConnectError, registry: Registry): string {
  const code = Code[error.code].replace(/(?<=[a-z])(?=[A-Z])/g, "_").toUpperCase();
  const details = error.details.flatMap((detail) => ("type" in detail ? describeDetail(detail, registry) : []));
  return [`${pc.red(code)}: ${error.rawMessage}`, ...details].map((line) => `${line}\n`).join("");
}

function describeDetail({ type, value }: { type: string; value: Uint8Array }, registry: Registry): string {
  const schema = registry.getMessage(type);
  if (schema === undefined) return `${type} (not in the contract) ${Buffer.from(value).toString("base64")}`;
  return `${type} ${JSON.stringify(toJson(schema, fromBinary(schema, value), { registry }))}`;
}
