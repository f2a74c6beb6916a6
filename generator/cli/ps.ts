import type { CommandModule } from "yargs";
import { project } from "./project.js";

export const ps: CommandModule<object, { json: boolean }> = {
  command: "ps",
  describe: "List the processes of scaffold dev",
  builder: (argv) =>
    argv
      .usage("$0 ps\n\nLists the processes that `$0 dev` runs in this project: service, pid, port, state and uptime.")
      .option("json", { type: "boolean", default: false, describe: "Print a JSON array; uptime in seconds" })
      .example("$0 ps", "Print a table")
      .example("$0 ps --json | jq -r '.[] | select(.service == \"orders\") | .pid'", "Print the pid of one service"),
  async handler({ json }) {
    const { root } = await project();
    const { listProcesses } = await import("../dev/list.js");
    const { runFolder } = await import("../dev/folder.js");
    const processes = await listProcesses(runFolder(root));
    if (json) {
      process.stdout.write(`${JSON.stringify(processes, undefined, 2)}\n`);
    } else if (processes.length === 0) {
      process.stderr.write("Nothing runs in this project. npx scaffold dev starts it\n");
    } else {
      const { printProcesses } = await import("../dev/list.js");
      process.stdout.write(printProcesses(processes));
    }
  },
};
