import type { CommandModule } from "yargs";
import { project } from "./project.js";
import { type ErrorFormat, errorFormatOption, report } from "./report.js";

interface ListOptions {
  json: boolean;
  "error-format": ErrorFormat;
}

const list: CommandModule<object, ListOptions> = {
  command: "list",
  describe: "List the templates, and which of them the project overrides",
  builder: (argv) =>
    argv
      .option("json", { type: "boolean", default: false, describe: "As one JSON document" })
      .option("error-format", errorFormatOption)
      .example("$0 templates list", "As a table"),
  async handler({ json, errorFormat }) {
    const { root } = await project();
    const { listTemplates, ownFolder } = await import("../scaffold/templates.js");
    const { templates, findings } = await listTemplates(root);
    if (json) {
      process.stdout.write(`${JSON.stringify({ templates, diagnostics: findings })}\n`);
      if (findings.some(({ severity }) => severity === "error")) process.exitCode = 100;
      return;
    }
    const width = Math.max(...templates.map(({ name }) => name.length));
    for (const { name, overridden } of templates) {
      process.stdout.write(overridden ? `${name.padEnd(width)}  ${ownFolder}/${name}\n` : `${name}\n`);
    }
    report(findings, errorFormat);
  },
};

const eject: CommandModule<object, { name: string }> = {
  command: "eject <name>",
  describe: "Copy a template to where the project's own take the place of the tool's",
  builder: (argv) =>
    argv
      .positional("name", { type: "string", demandOption: true, describe: "As list names it" })
      .example("$0 templates eject service/handlers.ts.hbs", "Change how handlers start"),
  async handler({ name }) {
    const { root } = await project();
    const { ejectTemplate } = await import("../scaffold/templates.js");
    process.stdout.write(`create ${await ejectTemplate(root, name)}\n`);
    process.stderr.write("Yours from now on: it is rendered in place of the tool's own\n");
  },
};

export const templates: CommandModule = {
  command: "templates",
  describe: "List the templates of starters, or take one over",
  builder: (argv) =>
    argv
      .usage(
        "$0 templates list|eject\n\nStarters are rendered from templates (Handlebars). A file in templates/ of the project takes the " +
          "place of the tool's own of that name.",
      )
      .command(list as CommandModule)
      .command(eject as CommandModule)
      .demandCommand(1, "Name a command: list or eject")
      .example("$0 templates list", "Which there are")
      .example("$0 templates eject service/handlers.ts.hbs", "Take one over"),
  handler() {},
};
