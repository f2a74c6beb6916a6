import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { bin, scaffold } from "../testing/cli.js";
import { contractProject } from "../testing/contract-project.js";
import { temporaryProject } from "../testing/project.js";

const commands = [
  "new-service",
  "templates",
  "generate",
  "lint",
  "explain",
  "breaking",
  "migrate",
  "check",
  "dev",
  "ps",
  "call",
  "events",
  "build",
];

it("lists its commands, and says more about each", async () => {
  const { root } = temporaryProject();
  const all = await scaffold(root, ["--help"]);
  expect(all).toMatchObject({ code: 0, stderr: "" });
  for (const command of commands) expect(all.stdout).toContain(`scaffold ${command}`);
  for (const command of commands) {
    const one = await scaffold(root, [command, "--help"]);
    expect(one).toMatchObject({ code: 0, stderr: "" });
    expect(one.stdout).toContain("Examples:");
  }
});

it.each([
  [[], "Name a command. See scaffold --help"],
  [["genrate"], `"genrate" is not a command. Did you mean generate? See scaffold --help`],
  [["lint", "--eror-format", "json"], "Did you mean --error-format? See scaffold lint --help"],
  [
    ["lint", "--error-format", "jsn"],
    `"jsn" is no --error-format; there are text, json, msvs, github-actions. Did you mean json? See scaffold lint --help\n`,
  ],
  [["generate", "--force"], "--force needs a value behind it. See scaffold generate --help\n"],
  [["breaking"], "Missing required argument: against"],
  [["lint"], "is not inside a project"],
])("refuses %j", async (args, message) => {
  const result = await scaffold(temporaryProject().root, args);
  expect(result).toMatchObject({ code: 1, stdout: "" });
  expect(result.stderr).toContain(message);
});

it("ends quietly when nobody reads on", async () => {
  const { root } = contractProject();
  // What is written fills no pipe, so the reader is gone before it comes.
  const command = `"${process.execPath}" "${bin}" call 2>err.txt | true`;
  execFileSync("sh", ["-c", command], { cwd: root });
  expect(readFileSync(join(root, "err.txt"), "utf8")).toBe("");
});

it("answers an old Node before it reads any other file", async () => {
  const project = temporaryProject({
    "old.cjs": `Object.defineProperty(process, "versions", { value: { ...process.versions, node: "20.18.3" } });`,
  });
  const result = await scaffold(project.root, ["--help"], { node: ["--require", join(project.root, "old.cjs")] });
  expect(result).toMatchObject({ code: 1, stdout: "" });
  expect(result.stderr).toMatch(/^scaffold needs Node 20\.19 or later; this is 20\.18\.3\. Install/);
});

it("says what to do when buf cannot be started", async () => {
  const project = temporaryProject({ "package.json": `{"name": "a"}`, "buf.yaml": "version: v2\n" });
  const args = ["breaking", "--against", "."];
  const result = await scaffold(project.root, args, { env: { BUF: "/nowhere/buf" } });
  expect(result).toMatchObject({ code: 1, stdout: "" });
  expect(result.stderr).toMatch(/buf cannot be started: .*ENOENT.*npm install @bufbuild\/buf/);
});
