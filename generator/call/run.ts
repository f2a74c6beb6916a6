import { Code, ConnectError } from "@connectrpc/connect";
import { buildImage } from "../image/compile.js";
import { descriptors } from "../image/descriptors.js";
import { findRoot, readSettings } from "../project/settings.js";
import { parseAddress, runningAddress } from "./address.js";
import { call } from "./call.js";
import { parseHeaders, parseTimeout } from "./options.js";
import { describeError, printer } from "./print.js";
import { reflect } from "./reflect.js";
import { findMethod, resolveService, type Schema, schemaOf, splitName } from "./schema.js";
import { type CallProtocol, openWay, type Way } from "./transport.js";

export interface RunOptions {
  /** Undefined: list the methods. */
  readonly method: string | undefined;
  readonly data: readonly string[];
  readonly header: readonly string[];
  readonly protocol: CallProtocol;
  readonly address: string | undefined;
  readonly timeout: string | undefined;
  readonly reflect: boolean;
  readonly emitDefaults: boolean;
  readonly verbose: boolean;
}

/** Runs `scaffold call` and prints its output. Returns whether the call succeeded. */
export async function run(options: RunOptions): Promise<boolean> {
  const headers = parseHeaders(options.header);
  const timeoutMs = options.timeout === undefined ? undefined : parseTimeout(options.timeout);
  const root = await findRoot(process.cwd()).catch((error: unknown) => {
    if (options.reflect) return undefined;
    throw new Error(`${(error as Error).message}. Or ask the server what it has, with --reflect`);
  });
  const address = options.address === undefined ? await runningAddress(root) : parseAddress(options.address);
  const way = openWay(options.protocol, address);
  try {
    const wanted = options.method === undefined ? undefined : splitName(options.method);
    const { services, registry } = await readSchema(root, options.reflect, way, wanted?.service);
    if (wanted === undefined) {
      for (const { methods, typeName } of services) {
        for (const { name } of methods) process.stdout.write(`${typeName}/${name}\n`);
      }
      return true;
    }
    const names = services.map(({ typeName }) => typeName);
    const service = services.find(({ typeName }) => typeName === resolveService(wanted.service, names))!;
    const method = findMethod(service, wanted.method);
    const streams = method.methodKind !== "unary";
    const { emitDefaults: defaults, verbose, data } = options;
    const pretty = !streams && process.stdout.isTTY === true;
    try {
      const receiver = printer({ registry, defaults, verbose, pretty });
      await call(way.for(method.methodKind), method, { data, headers, timeoutMs, registry }, receiver);
      return true;
    } catch (error) {
      if (!(error instanceof ConnectError)) throw error;
      process.stderr.write(describeError(error, registry) + hint(error, address));
      return false;
    }
  } catch (error) {
    if (!(error instanceof ConnectError)) throw error;
    throw new Error(`${address} does not answer reflection: ${error.rawMessage}.\n${hint(error, address)}`.trim());
  } finally {
    way.close();
  }
}

async function readSchema(
  root: string | undefined,
  ask: boolean,
  way: Way,
  service: string | undefined,
): Promise<Schema> {
  if (ask || root === undefined) return reflect(way.for("bidi_streaming"), service);
  return schemaOf(descriptors(await buildImage(await readSettings(root))));
}

/** Returns advice for a server that cannot be reached. */
function hint(error: ConnectError, address: string): string {
  const refused = error.code === Code.Unavailable && /ECONNREFUSED/.test(`${error.rawMessage} ${error.cause}`);
  return refused
    ? `Nothing listens at ${address}. npx scaffold dev starts the system; --address names another place.\n`
    : "";
}
