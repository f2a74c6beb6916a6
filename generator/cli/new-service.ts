import type { CommandModule } from "yargs";
import { type ErrorFormat, errorFormatOption, hasErrors, report } from "./print/report.js";
import { project } from "./project.js";

interface Options {
  name: string;
  entity: string[];
  package?: string;
  "error-format": ErrorFormat;
}

export const newService: CommandModule<object, Options> = {
  command: "new-service <name>",
  describe: "Create a service: contract, handlers, entry and a test",
  builder: (argv) =>
    argv
      .usage(
        "$0 new-service <name>\n\nWrites a service's first files, which are yours from then on, and generates the rest.\n" +
          "A file in templates/service/ of the project replaces the tool's template.",
      )
      .positional("name", {
        type: "string",
        demandOption: true,
        describe: "The name of its folder, process and database",
      })
      .option("entity", {
        type: "string",
        array: true,
        nargs: 1,
        default: [] as string[],
        describe: "An entity that it owns, with its fields (default type: string)",
      })
      .option("package", { type: "string", requiresArg: true, describe: "Its Protobuf package: shop.catalog.v1" })
      .option("error-format", errorFormatOption)
      .example("$0 new-service greeter", "A service with one method")
      .example(
        "$0 new-service catalog --entity Product:name,price_cents:int64,tags:string[]",
        "A service that owns a table",
      ),
  async handler({ name, entity, package: pkg, errorFormat }) {
    const settings = await project();
    const { newService } = await import("../scaffold/new-service.js");
    const { generate } = await import("../generate.js");
    const { conflicts } = await import("../check/drift.js");

    const written = await newService(settings, { name, package: pkg, entities: entity });
    for (const { path } of written) process.stdout.write(`create ${path}\n`);
    const { diagnostics, actions } = await generate(settings, "write");
    const findings = [...diagnostics.filter(({ severity }) => severity === "error"), ...conflicts(actions)];
    report(findings, errorFormat);
    if (hasErrors(findings)) {
      process.stderr.write("Nothing generated yet: settle these, then npx scaffold generate\n");
      return;
    }
    const [contract, handlers] = written.map(({ path }) => path);
    process.stderr.write(
      `\nNext:\n  ${contract}  says what it does; after a change: npx scaffold generate\n` +
        `  ${handlers}  does it\n  npx vitest run ${settings.services}/${name}\n  npx scaffold dev  runs it beside the others\n`,
    );
  },
};
