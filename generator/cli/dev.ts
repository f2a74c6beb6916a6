import type { CommandModule } from "yargs";
import { attempt } from "./fail.js";
import { project } from "./project.js";

export const dev: CommandModule<object, { reset: boolean; watch: boolean }> = {
  command: "dev",
  describe: "Run the whole system on this machine",
  builder: (argv) =>
    argv
      .usage(
        "$0 dev\n\nBuilds and runs all services, each with a database in an embedded PostgreSQL, two gateways and a load " +
          "balancer. Ctrl-C stops it. PORT is the load balancer's port; default 8080.",
      )
      .option("reset", { type: "boolean", default: false, describe: "Delete the data first" })
      .option("watch", {
        type: "boolean",
        default: false,
        describe: "Generate, build and restart after each change",
      })
      .example("$0 dev", "Run the system until Ctrl-C")
      .example("$0 dev --watch", "Restart what changes")
      .example("PORT=9000 $0 dev", "Use another port")
      .example("$0 dev --reset", "Start with empty databases"),
  async handler({ reset, watch }) {
    const settings = await project();
    const [{ runSystem }, { runFolder }] = await Promise.all([import("../dev/run.js"), import("../dev/folder.js")]);
    const { programs } = runFolder(settings.root);
    const make = async () => {
      const [{ build }, { systemOf }] = await Promise.all([
        import("../project/build.js"),
        import("../operate/system.js"),
      ]);
      const [{ services }, changed] = await Promise.all([systemOf(settings), build(settings, programs)]);
      return { services, changed };
    };
    /** Whether methods still have to be written by hand. Until then the running programs stay. */
    let unwritten = false;
    const generate = async () => {
      const { regenerate } = await import("./regenerate.js");
      const options = { mode: "write", json: false, force: [], allow: [], errorFormat: "text" } as const;
      const outcome = await regenerate(settings, options);
      unwritten = outcome.unwritten;
      return !outcome.blocked;
    };
    if (watch && !(await generate())) return;
    const { watchProject } = await import("../watch/project.js");
    await runSystem({
      root: settings.root,
      programs,
      port: process.env.PORT,
      reset,
      prepare: async () => (await make()).services,
      watch: watch
        ? (reload, up) =>
            watchProject(settings, async ({ contract }) => {
              await up;
              if ((contract || unwritten) && !(await attempt(generate))) return;
              if (unwritten) return;
              await attempt(async () => {
                const { services, changed } = await make();
                await reload(services, changed);
              });
            })
        : undefined,
    });
    // Exit even if handles are still open.
    process.exit();
  },
};
