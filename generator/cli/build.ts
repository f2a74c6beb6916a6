import { readdir } from "node:fs/promises";
import { join } from "node:path";
import type { CommandModule } from "yargs";
import { project } from "./project.js";

export const build: CommandModule = {
  command: "build",
  describe: "Bundle the services for production",
  builder: (argv) =>
    argv
      .usage(
        "$0 build\n\nBundles each service into a file for Node.js, dist/<name>/main.js in the services' folder, with its " +
          "migrations beside it. npm packages are not in the bundle: install them where it runs.",
      )
      .example("$0 build", "Build all services and the gateway")
      .example("PORT=8081 DATABASE_URL=postgres://… node services/dist/orders/main.js", "Run a built service"),
  async handler() {
    const settings = await project();
    const { build } = await import("../project/build.js");
    const began = performance.now();
    const fresh = await build(settings);
    const folder = `${settings.services}/dist`;
    const entries = await readdir(join(settings.root, folder), { withFileTypes: true });
    const names = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
    for (const name of names) process.stdout.write(`${folder}/${name}/main.js\n`);
    const changed = names.filter((name) => fresh.has(name)).length;
    const seconds = ((performance.now() - began) / 1000).toFixed(1);
    process.stderr.write(`${names.length} built in ${seconds} s, ${changed} of them changed\n`);
  },
};
