import { keepTextExact } from "@protoscaffold/runtime/codec/exact-text";
import yargs, { type Argv, type CommandModule } from "yargs";
import { version } from "../project/version.js";
import { breaking } from "./breaking.js";
import { build } from "./build.js";
import { call } from "./call.js";
import { check } from "./check.js";
import { dev } from "./dev.js";
import { events } from "./events.js";
import { explain } from "./explain.js";
import { fail, UsageError } from "./fail.js";
import { generate } from "./generate.js";
import { init } from "./init.js";
import { lint } from "./lint.js";
import { migrate } from "./migrate/migrate.js";
import { newService } from "./new-service.js";
import { ps } from "./ps.js";
import { sagas } from "./sagas/sagas.js";
import { templates } from "./templates.js";

/** The commands, in the order in which a new user needs them. Each imports its modules only when it runs. */
export const commands = [
  init,
  newService,
  templates,
  generate,
  lint,
  explain,
  breaking,
  migrate,
  check,
  dev,
  ps,
  call,
  events,
  sagas,
  build,
] as CommandModule[];

/** The command line without its commands. */
export function commandLine(args: readonly string[]): Argv {
  return (
    yargs([...args])
      .scriptName("scaffold")
      .usage("$0 <command>\n\nTurns Protobuf contracts into running TypeScript microservices.")
      .version(version)
      // The tool's texts are in English.
      .locale("en")
      .alias({ h: "help" })
      .strict()
      .demandCommand(1, "Name a command")
      .wrap(100)
      .epilogue("Exit codes: 0 clean, 100 findings, 1 failure. scaffold <command> --help has examples.")
  );
}

/** Runs the command line. The exit codes are buf's: 0 clean, 100 findings, 1 failure. */
export async function main(args: readonly string[]): Promise<void> {
  keepTextExact();
  // The reader has closed the pipe (`scaffold call … | head -1`): end the command, which may have to clean up.
  process.stdout.once("error", () => {
    process.stdout.on("error", () => {});
    if (!process.emit("SIGTERM", "SIGTERM")) process.exit();
  });
  let options: string[] = [];
  let running: unknown;
  const cli = commandLine(args).fail((message, error) => {
    throw message ? new UsageError(message) : error;
  });
  for (const command of commands) {
    cli.command({
      ...command,
      builder(argv) {
        const built = (command.builder as (argv: Argv) => Argv)(argv);
        options = optionsOf(built);
        return built;
      },
      handler(argv) {
        withoutHelp(cli);
        // yargs does not await it: it would print the error itself.
        running = command.handler(argv);
      },
    });
  }
  try {
    await cli.parse();
    await running;
  } catch (error) {
    fail(error, { args, options, commands: commands.map(({ command }) => String(command).split(" ")[0]!) });
  }
}

/** Disables the help that yargs formats in advance whenever a command runs: that takes 25 ms. */
function withoutHelp(cli: Argv): void {
  const inside = cli as unknown as { getInternalMethods(): { getUsageInstance(): { cacheHelpMessage(): void } } };
  inside.getInternalMethods().getUsageInstance().cacheHelpMessage = () => {};
}

/** yargs has these methods, but its types do not. */
function optionsOf(argv: Argv): string[] {
  return Object.keys((argv as unknown as { getOptions(): { key: Record<string, boolean> } }).getOptions().key);
}
