import { readdir } from "node:fs/promises";
import { resolve } from "node:path";
import type { CommandModule } from "yargs";
import { project } from "./project.js";

export const build: CommandModule<object, { out?: string }> = {
  command: "build",
  describe: "Bundle the services for production",
  builder: (argv) =>
    argv
      .usage(
        "$0 build\n\nBundles each service into a file for Node.js, dist/<name>/main.js in the services' folder, with its " +
          "migrations beside it. npm packages are not in the bundle: install them where it runs.",
      )
      .option("out", { type: "string", describe: "The folder for the bundles, relative to the project's root" })
      .example("$0 build", "Build all services and the gateway")
      .example("PORT=8081 DATABASE_URL=postgres://… node services/dist/orders/main.js", "Run a built service"),
  async handler({ out }) {
    const settings = await project();
    const { build } = await import("../project/build.js");
    const began = performance.now();
    const folder = out ?? `${settings.services}/dist`;
    const fresh = await build(settings, resolve(settings.root, folder));
    const entries = await readdir(resolve(settings.root, folder), { withFileTypes: true });
    const names = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
    for (const name of names) process.stdout.write(`${folder}/${name}/main.js\n`);
    const changed = names.filter((name) => fresh.has(name)).length;
    const seconds = ((performance.now() - began) / 1000).toFixed(1);
    process.stderr.write(`${names.length} built in ${seconds} s, ${changed} of them changed\n`);
  },
};
