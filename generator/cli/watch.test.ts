import { spawn } from "node:child_process";
import { expect, it, onTestFinished } from "vitest";
import { eventually } from "../dev/testing/dev-process.js";
import { bin, scaffold } from "../testing/cli.js";
import { contractProject, notesPath, notesProto } from "../testing/contract-project.js";

it("generates after each change of a contract, and goes on after one that does not compile", async () => {
  const project = contractProject();
  const child = spawn(process.execPath, [bin, "generate", "--watch"], {
    cwd: project.root,
    env: { ...process.env, NO_COLOR: "1" },
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk) => {
      output += chunk;
    });
  }
  const said = (words: RegExp) => eventually(String(words), () => words.exec(output)?.[0]);
  await said(/waiting for changes/);
  expect(project.read("generated/system.ts")).toContain("NoteService");

  project.write(notesPath, notesProto.replace("string text", "strin text"));
  await said(/notes\.proto:29:3: COMPILE: .*strin/);
  expect(child.exitCode).toBeNull();
  project.write(notesPath, notesProto.replace("string text = 2", "string text = 2;\n  string author = 3"));
  await said(/update generated\/desk\/notes\/v1\/notes_pb\.ts/);
  child.kill("SIGINT");
  await new Promise((resolve) => child.once("close", resolve));
  expect(await scaffold(project.root, ["generate", "--check"])).toMatchObject({ code: 0, stdout: "" });
}, 90_000);

it("goes with no other way to generate", async () => {
  const { code, stderr } = await scaffold(contractProject().root, ["generate", "--watch", "--check"]);
  expect([code, stderr]).toEqual([1, expect.stringContaining("--watch writes")]);
}, 60_000);
