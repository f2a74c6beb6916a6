import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { builtTool } from "../../testing/tool.js";
import { runFolder } from "../folder.js";
import { removePostgres } from "../postgres.js";

const runFixture = await builtTool("run-fixture");
const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** A system of two services, of which one calls the other, in a folder of its own. */
export interface Fixture {
  readonly root: string;
  /** The command that runs it, as `npm start` does. */
  readonly command: readonly string[];
  write(path: string, content: string): void;
  /** The lines that its processes have written since the last `forget`. */
  journal(): string[];
  forget(): void;
  /** Removes `.scaffold`, as `git clean` would while the system runs. */
  removeData(): Promise<void>;
  remove(): Promise<void>;
}

export function systemFixture(): Fixture {
  const root = realpathSync(mkdtempSync(join(tmpdir(), "scaffold-dev-")));
  const journal = join(root, "journal");
  const start = `node ${runFixture}`;
  const write = (path: string, content: string) => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), content);
  };
  write("package.json", JSON.stringify({ name: "fixture", type: "module", scripts: { start } }));
  for (const name of ["orders", "stock", "gateway"]) write(`dist/${name}/main.js`, program(name, journal));
  write("journal", "");
  const places: string[] = [];
  return {
    root,
    command: start.split(" "),
    write,
    journal: () => readFileSync(journal, "utf8").split("\n").filter(Boolean),
    forget: () => write("journal", ""),
    async removeData() {
      const { path, postgres } = runFolder(root);
      const place = await realpath(join(postgres, "data"));
      await rm(path, { recursive: true });
      // The user "nobody" would own it below /var/tmp.
      places.push(dirname(place));
    },
    async remove() {
      for (const place of places) rmSync(place, { recursive: true, force: true });
      await removePostgres(runFolder(root).postgres);
      rmSync(root, { recursive: true, force: true });
    },
  };
}

/** Returns a program that runs testing/service.js under a name. */
export function program(name: string, journal: string): string {
  const service = JSON.stringify(here("./service.js"));
  return `import { run } from ${service};\nrun(${JSON.stringify(name)}, ${JSON.stringify(journal)});\n`;
}
