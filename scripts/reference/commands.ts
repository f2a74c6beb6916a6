import { commandLine, commands } from "../../generator/cli/main.js";

/** Returns the page docs/reference/commands.md: the help of every command, as the command line prints it. */
export async function commandsPage(): Promise<string> {
  const pages = await helpPages([]);
  const rows = pages.map(({ name, summary }) => `| [\`${name}\`](#${anchor(name)}) | ${summary} |`);
  const sections = pages.map(({ name, help }) => `\n## ${name}\n\n\`\`\`text\n${help}\n\`\`\`\n`);
  return `${intro}\n| command | what it does |\n| --- | --- |\n${rows.join("\n")}\n${sections.join("")}`;
}

interface HelpPage {
  /** "scaffold events dlq list" */
  readonly name: string;
  readonly summary: string;
  readonly help: string;
}

/** Returns the help of every command below `parent`, except command groups. */
async function helpPages(parent: readonly string[]): Promise<HelpPage[]> {
  const pages: HelpPage[] = [];
  for (const [word, summary] of commandsIn(await helpOf(parent), parent)) {
    const path = [...parent, word];
    const name = `scaffold ${path.join(" ")}`;
    const help = await helpOf(path);
    const below = await helpPages(path);
    pages.push(...(below.length > 0 ? below : [{ name, summary, help: withoutCommon(help) }]));
  }
  return pages;
}

async function helpOf(path: readonly string[]): Promise<string> {
  const cli = commandLine([]).exitProcess(false);
  for (const command of commands) cli.command(command);
  let help = "";
  await cli.parseAsync([...path, "--help"], {}, (_error, _argv, output) => {
    help = output;
  });
  return help;
}

/** Returns the names and summaries listed under "Commands:". */
function commandsIn(help: string, parent: readonly string[]): [word: string, summary: string][] {
  const [, list = ""] = /^Commands:\n((?: .*\n)+)/m.exec(help) ?? [];
  // A summary continues in lines that are indented further.
  const lines = list.replace(/\n {6,}/g, " ").split("\n");
  const start = `  scaffold ${[...parent, ""].join(" ")}`;
  return lines
    .filter((line) => line.startsWith(start))
    .map((line) => {
      const [usage = "", summary = ""] = line.slice(start.length).split(/ {2,}/);
      return [usage.split(" ")[0]!, summary];
    });
}

/** Removes the options that every command has. */
function withoutCommon(help: string): string {
  return help
    .replace(/^ *(--version|-h, --help) .*\n/gm, "")
    .replace(/\n\nOptions:\n*$/, "")
    .replace(/^Options:\n\n/m, "")
    .trim();
}

function anchor(name: string): string {
  return name.replaceAll(" ", "-");
}

const intro = `# Commands

The tool's command is \`scaffold\`, from the package \`protoscaffold\`. Inside a project \`npx scaffold\` runs it. Outside of one, \`npx scaffold\` is another
package on the registry: use \`npx protoscaffold\`.

Exit codes are buf's: 0 clean, 100 findings, 1 failure. Results go to standard output; progress, summaries and errors go to standard error. Every command has
\`--help\` and \`--version\`. \`NO_COLOR\` turns colours off.

This page is printed from the commands' own help.
`;
