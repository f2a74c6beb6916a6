import { existsSync } from "node:fs";
import { join } from "node:path";
import { watchTree } from "../../watch/tree.js";
import { runSystem } from "../run.js";

const root = process.cwd();
const few = [
  { name: "stock", calls: [], database: true },
  { name: "orders", calls: ["stock"], database: true },
];
/** A program of that name is a further service. */
const services = () =>
  existsSync(join(root, "dist/mail")) ? [...few, { name: "mail", calls: [], database: true }] : few;

/** The program that runs a fixture's system in its working directory. */
try {
  await runSystem({
    root,
    programs: join(root, "dist"),
    port: process.env.PORT,
    reset: process.argv.includes("--reset"),
    prepare: async () => services(),
    // The test writes the built programs.
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
