import type { CommandModule } from "yargs";
import type { CallProtocol } from "../call/transport.js";

const protocols: readonly CallProtocol[] = ["grpc", "grpc-web", "connect"];

interface Options {
  method?: string;
  data: string[];
  header: string[];
  protocol: CallProtocol;
  address?: string;
  timeout?: string;
  reflect: boolean;
  "emit-defaults": boolean;
  verbose: boolean;
}

export const call: CommandModule<object, Options> = {
  command: "call [method]",
  describe: "Call a method of a running service",
  builder: (argv) =>
    argv
      .usage(
        "$0 call [method]\n\nCalls a method and prints its responses, one JSON document a line. An error goes to standard " +
          "error, with its code and details. Without a method: lists the methods.",
      )
      .positional("method", {
        type: "string",
        describe: "package.Service/Method, or Service/Method if that is unambiguous",
      })
      .option("data", {
        alias: "d",
        type: "string",
        array: true,
        nargs: 1,
        default: [] as string[],
        describe: "The request in JSON, @file, or @- for standard input; for a stream, one document after the other",
      })
      .option("header", {
        alias: "H",
        type: "string",
        array: true,
        nargs: 1,
        default: [] as string[],
        describe: 'A header, "name: value"',
      })
      .option("address", {
        type: "string",
        requiresArg: true,
        describe: "The server's address. Default: the running system, or else http://127.0.0.1:8080",
      })
      .option("protocol", { choices: protocols, default: "grpc" as CallProtocol, describe: "The protocol" })
      .option("timeout", { type: "string", requiresArg: true, describe: "The call's deadline, such as 500ms or 2s" })
      .option("reflect", {
        type: "boolean",
        default: false,
        describe: "Use the server's reflection instead of the project's protos",
      })
      .option("emit-defaults", { type: "boolean", default: false, describe: "Print fields with default values, too" })
      .option("verbose", { alias: "v", type: "boolean", default: false, describe: "Print headers on standard error" })
      .example("$0 call", "List the methods")
      .example(`$0 call OrderService/GetOrder -d '{"id": "1"}'`, "Call one")
      .example(`$0 call UserService/CreateUsers -d @- < users.json`, "Stream the documents of a file")
      .example("$0 call UserService/ListUsers --address 10.0.0.7:5001 --reflect", "Call a server elsewhere"),
  async handler(args) {
    const { run } = await import("../call/run.js");
    if (!(await run({ ...args, method: args.method, address: args.address, timeout: args.timeout })))
      process.exitCode = 1;
  },
};
