import type { CommandModule } from "yargs";
import { type ErrorFormat, errorFormatOption, report } from "./print/report.js";
import { project } from "./project.js";

interface ListOptions {
  json: boolean;
  "error-format": ErrorFormat;
}

const list: CommandModule<object, ListOptions> = {
  command: "list",
  describe: "List the templates, and which of them the project replaces",
  builder: (argv) =>
    argv
      .option("json", { type: "boolean", default: false, describe: "Print one JSON document" })
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
  describe: "Copy a template into the project, where it replaces the tool's",
  builder: (argv) =>
    argv
      .positional("name", { type: "string", demandOption: true, describe: "Its name, as list prints it" })
      .example("$0 templates eject service/handlers.ts.hbs", "Copy the template of handlers"),
  async handler({ name }) {
    const { root } = await project();
    const { ejectTemplate } = await import("../scaffold/templates.js");
    process.stdout.write(`create ${await ejectTemplate(root, name)}\n`);
    process.stderr.write("Yours from now on: it is rendered in place of the tool's own\n");
  },
};

export const templates: CommandModule = {
  command: "templates",
  describe: "List the templates of new services, or copy one into the project",
  builder: (argv) =>
    argv
      .usage(
        "$0 templates list|eject\n\nNew services are rendered from templates (Handlebars). A file in templates/ of the project replaces " +
          "the tool's template of the same name.",
      )
      .command(list as CommandModule)
      .command(eject as CommandModule)
      .demandCommand(1, "Name a command: list or eject")
      .example("$0 templates list", "List them")
      .example("$0 templates eject service/handlers.ts.hbs", "Copy one"),
  handler() {},
};
