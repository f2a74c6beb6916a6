import type { CommandModule } from "yargs";

export const explain: CommandModule<object, { rule?: string }> = {
  command: "explain [rule]",
  describe: "Explain a rule, with a bad and a good example",
  builder: (argv) =>
    argv
      .usage(
        "$0 explain [rule]\n\nPrints what a rule requires, why, and a bad and a good example. Without a rule: lists the rules.",
      )
      .positional("rule", { type: "string", describe: "The rule's id, as findings have it" })
      .example("$0 explain", "List the rules")
      .example("$0 explain HTTP_RULE", "Explain one"),
  async handler({ rule }) {
    const { explain, listRules } = await import("../check/explain.js");
    if (rule !== undefined) {
      process.stdout.write(await explain(rule));
      return;
    }
    process.stdout.write(listRules());
    process.stderr.write("buf's own: https://buf.build/docs/lint/rules/ and https://buf.build/docs/breaking/rules/\n");
  },
};
