import { spawn } from "node:child_process";
import { createInterface } from "node:readline/promises";
import type { CommandModule } from "yargs";

interface Options {
  name?: string;
  package?: string;
  yes: boolean;
  install: boolean;
}

export const init: CommandModule<object, Options> = {
  command: "init",
  describe: "Make this folder a project",
  builder: (argv) =>
    argv
      .usage(
        "$0 init\n\nMakes this folder a project, empty or not: settings, a gateway, and vendored protos. " +
          "Existing files are not changed, except that package.json gets what is missing. Then installs the packages.",
      )
      .option("name", { type: "string", requiresArg: true, describe: "The project's name; default: its folder's" })
      .option("package", {
        type: "string",
        requiresArg: true,
        describe: "The name under which generated code is imported; default: @<name>/generated",
      })
      .option("yes", { alias: "y", type: "boolean", default: false, describe: "Ask nothing, use the defaults" })
      .option("install", { type: "boolean", default: true, describe: "Run npm install; --no-install does not" })
      .example("$0 init", "Ask for the names; without a terminal, ask nothing")
      .example("$0 init --yes --name shop --package @shop/generated", "Ask nothing"),
  async handler({ name: givenName, package: givenPackage, yes, install }) {
    const { initProject, usualName, usualPackage } = await import("../scaffold/init.js");
    const { generate } = await import("../generate.js");
    const root = process.cwd();
    const ask = yes ? usual : prompt;
    const name = givenName ?? (await ask("Name of the project", await usualName(root)));
    const imported = givenPackage ?? (await ask("Name to import generated code by", usualPackage(name)));

    const { settings, manifest, actions } = await initProject({ root, name, package: imported });
    if (manifest.created) process.stdout.write("create package.json\n");
    else if (manifest.added.length > 0)
      process.stdout.write(`update package.json: added ${manifest.added.join(", ")}\n`);
    else process.stdout.write("keep package.json\n");
    for (const { kind, path } of actions) {
      if (kind === "create" || kind === "update") process.stdout.write(`${kind} ${path}\n`);
      if (kind === "keep") process.stdout.write(`keep ${path}: it is yours\n`);
    }
    await generate(settings, "write");
    if (install) await npmInstall(root);
    const commands = [
      ...(install ? [] : ["npm install"]),
      "npx scaffold new-service catalog --entity Product:name,price_cents:int64,tags:string[]",
      "npm start",
      ...(install ? ["npm test"] : []),
    ];
    process.stderr.write(`\nNext:\n${commands.map((command) => `  ${command}\n`).join("")}`);
  },
};

async function usual(_question: string, answer: string): Promise<string> {
  return answer;
}

/** Asks the user on a terminal. Without one, returns the default. */
async function prompt(question: string, answer: string): Promise<string> {
  if (!process.stdin.isTTY || !process.stderr.isTTY || process.env.CI) return answer;
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return (await terminal.question(`${question} (${answer}): `)).trim() || answer;
  } finally {
    terminal.close();
  }
}

async function npmInstall(root: string): Promise<void> {
  process.stderr.write("npm install\n");
  // npm's output goes to standard error. On Windows npm is a script, which needs a shell.
  const child = spawn("npm", ["install", "--no-audit", "--no-fund"], {
    cwd: root,
    stdio: ["ignore", 2, 2],
    shell: process.platform === "win32",
  });
  const code = await new Promise<number | null>((resolve, reject) => child.on("error", reject).on("close", resolve));
  if (code !== 0) throw new Error("npm install failed, as it says above; everything else is done. Run it again");
}
