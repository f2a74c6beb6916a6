// Makes what a package publishes, before npm packs it: `node ../scripts/prepack.js`, in the package's folder.
import { spawnSync } from "node:child_process";
import { cpSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import { bundle } from "./bundle.js";

const here = (path) => fileURLToPath(new URL(`../${path}`, import.meta.url));
const compiler = createRequire(import.meta.url).resolve("typescript/bin/tsc");

const name = basename(process.cwd());
// The tool is checked against the library as that will be published.
compile("runtime");
cpSync(here("LICENSE"), here(`${name}/LICENSE`));
if (name === "generator") {
  rmSync(here("generator/dist"), { recursive: true, force: true });
  run("generator/tsconfig.build.json");
  await bundle(here("generator/dist"));
  // What it renders starters from, and the words that it writes into projects.
  cpSync(here("templates"), here("generator/dist/templates"), { recursive: true });
  cpSync(here("proto"), here("generator/dist/proto"), {
    recursive: true,
    filter: (path) => !path.startsWith(here("proto/shop")),
  });
}

function compile(folder) {
  rmSync(here(`${folder}/dist`), { recursive: true, force: true });
  run(`${folder}/tsconfig.build.json`);
}

function run(config) {
  // Standard output is npm's, which may be asked for JSON.
  const { status } = spawnSync(process.execPath, [compiler, "-p", here(config)], { stdio: ["ignore", 2, 2] });
  if (status !== 0) process.exit(1);
}
