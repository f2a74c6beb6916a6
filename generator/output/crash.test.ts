import { spawn } from "node:child_process";
import { cpSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { exclusively } from "../project/lock.js";
import { type TemporaryProject, temporaryProject } from "../testing/project.js";
import { builtTool } from "../testing/tool.js";
import { treeOf } from "../testing/tree.js";
import { applyOutput, planOutput } from "./output.js";
import type { OutputFile } from "./output-file.js";

const program = [
  "--import",
  fileURLToPath(new URL("../testing/kill-at.mjs", import.meta.url)),
  await builtTool("apply-output"),
];

const tool = (path: string, content: string): OutputFile => ({ path: `generated/${path}`, content, owner: "tool" });
const before = [tool("stays.ts", "same\n"), tool("changes.ts", "old\n".repeat(9)), tool("gone/deep/a.ts", "old\n")];
const after: OutputFile[] = [
  tool("stays.ts", "same\n"),
  tool("changes.ts", "new\n".repeat(9)),
  tool("new/deep/b.ts", "new\n".repeat(9)),
  { path: "services/a/main.ts", content: "starter\n".repeat(9), owner: "user" },
];

function run(root: string, env: Record<string, string>): Promise<{ signal: NodeJS.Signals | null; stdout: string }> {
  const child = spawn(process.execPath, [...program, root, join(root, "wanted.json")], {
    env: { ...process.env, KILL_IN: root, ...env },
    stdio: ["ignore", "pipe", "inherit"],
  });
  let stdout = "";
  child.stdout.on("data", (chunk) => {
    stdout += chunk;
  });
  return new Promise((resolve) => child.once("close", (_, signal) => resolve({ signal, stdout })));
}

it("ends where an undisturbed run ends, wherever the run before it was killed; no file is ever half", async () => {
  const start = temporaryProject({ "wanted.json": JSON.stringify(before) });
  await run(start.root, {});
  start.write("wanted.json", JSON.stringify(after));
  const undisturbed = copy(start);
  const counted = await run(undisturbed.root, { KILL_COUNT: "1" });
  const steps = Number(/steps (\d+)/.exec(counted.stdout)![1]);
  expect(steps).toBeGreaterThan(25);
  const expected = treeOf(undisturbed.root);
  const texts = new Set([...before, ...after].map(({ content }) => content));

  const points = Array.from({ length: steps }, (_, index) => index);
  const sweep = async () => {
    for (let at = points.shift(); at !== undefined; at = points.shift()) {
      const project = copy(start);
      expect(await run(project.root, { KILL_AT: String(at) })).toMatchObject({ signal: "SIGKILL" });
      for (const path of visible(project)) {
        if (path.endsWith(".ts")) expect(texts, `${path} after ${at}`).toContain(project.read(path));
      }
      await next(project);
      expect(treeOf(project.root), `killed at step ${at}`).toEqual(expected);
      expect(readdirSync(join(project.root, ".scaffold")), `killed at step ${at}`).toEqual([".gitignore"]);
    }
  };
  await Promise.all([sweep(), sweep()]);
}, 240_000);

it("lets two runs at once write one after the other", async () => {
  const project = temporaryProject({ "wanted.json": JSON.stringify(after) });
  const runs = await Promise.all(Array.from({ length: 3 }, () => run(project.root, {})));
  expect(runs.map(({ signal }) => signal)).toEqual([null, null, null]);
  const alone = temporaryProject({ "wanted.json": JSON.stringify(after) });
  await run(alone.root, {});
  expect(treeOf(project.root)).toEqual(treeOf(alone.root));
});

/** The next run, in this process. */
async function next({ root }: TemporaryProject): Promise<void> {
  const place = { root, generated: "generated", version: "1.0.0" };
  await exclusively(root, async () => applyOutput(place, await planOutput(place, after)));
}

function copy({ root }: TemporaryProject): TemporaryProject {
  const project = temporaryProject();
  cpSync(root, project.root, { recursive: true });
  return project;
}

/** The files that a tool which looks into the project sees. */
function visible({ root }: TemporaryProject): string[] {
  return Object.keys(treeOf(root, (path) => path.endsWith(".scaffold-part"))).filter((path) => !path.endsWith("/"));
}
