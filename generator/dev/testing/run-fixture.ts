import { existsSync } from "node:fs";
import { join } from "node:path";
import { watchTree } from "../../watch/tree.js";
import { runSystem } from "../run.js";

const root = process.cwd();
const few = [
  { name: "stock", calls: [], database: true },
  { name: "orders", calls: ["stock"], database: true },
];
/** With a program of that name there is one service more. */
const services = () =>
  existsSync(join(root, "dist/mail")) ? [...few, { name: "mail", calls: [], database: true }] : few;

/** The program that runs a fixture's system, in the folder that it is started in. */
try {
  await runSystem({
    root,
    programs: join(root, "dist"),
    port: process.env.PORT,
    reset: process.argv.includes("--reset"),
    prepare: async () => services(),
    // What is built is what the test writes.
    watch: async (reload) =>
      watchTree(
        join(root, "dist"),
        () => true,
        (paths) => void reload(services(), new Set([...paths].map((path) => path.split("/")[0]!))),
      ),
  });
  process.exit(0);
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`);
  process.exit(1);
}
