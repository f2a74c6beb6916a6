import type { CommandModule } from "yargs";
import { project } from "./project.js";

export const build: CommandModule = {
  command: "build",
  describe: "Bundle the services for production",
  builder: (argv) =>
    argv
      .usage(
        "$0 build\n\nBundles each service into a file that Node runs, dist/<name>/main.js in the services' folder, with its " +
          "migrations beside it. Packages from npm are not in it: they are installed where it runs.",
      )
      .example("$0 build", "All services and the gateway")
      .example("PORT=8081 DATABASE_URL=postgres://… node services/dist/orders/main.js", "Run what was built"),
  async handler() {
    const settings = await project();
    const { build } = await import("../build.js");
    await build(settings);
  },
};
