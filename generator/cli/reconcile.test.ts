import { expect, it } from "vitest";
import { scaffold } from "../testing/cli.js";
import { contractProject, notesPath, notesProto } from "../testing/contract-project.js";
import { treeOf } from "../testing/tree.js";

it("takes a checkout with CRLF for what it is, and leaves alone what a newer version wrote", async () => {
  const project = contractProject();
  await scaffold(project.root, ["generate"]);
  for (const path of Object.keys(treeOf(project.root))) {
    if (/\.(ts|proto|sql|json|txt|yaml)$/.test(path)) {
      project.write(path, project.read(path)!.replaceAll("\n", "\r\n"));
    }
  }
  const checkout = treeOf(project.root);
  const { code, stdout, stderr } = await scaffold(project.root, ["generate"]);
  expect([code, stdout, stderr]).toEqual([0, "", "0 written, 0 deleted, 0 conflicts, 12 unchanged\n"]);
  expect(treeOf(project.root)).toEqual(checkout);

  const manifest = project
    .read("generated/manifest.txt")!
    .replace(/# scaffold .*\r\n/, "# scaffold 99.0.0\r\nnew words\r\n");
  project.write("generated/manifest.txt", manifest);
  expect(await scaffold(project.root, ["generate"])).toMatchObject({
    code: 100,
    stdout: expect.stringMatching(/manifest\.txt:1:1: GENERATED_CONFLICT: written by scaffold 99\.0\.0, and this is /),
    stderr: expect.stringContaining("next: settle the conflicts"),
  });
  expect(project.read("generated/manifest.txt")).toBe(manifest);
}, 60_000);

it("generates again what two branches both changed", async () => {
  const project = contractProject();
  await scaffold(project.root, ["generate"]);
  project.commit();
  for (const [branch, from, name] of [
    ["side", "// Pins a note", "SortNote"],
    ["main", "  // Returns one note", "PostNote"],
  ] as const) {
    project.git("checkout", "--quiet", ...(branch === "main" ? [branch] : ["-b", branch]));
    const method = `  rpc ${name}(PinNoteRequest) returns (PinNoteResponse);\n\n`;
    project.write(notesPath, notesProto.replace(from, `${method}${from}`));
    await scaffold(project.root, ["generate"]);
    project.commit();
  }
  expect(() => project.git("merge", "--no-edit", "side")).toThrow();
  expect(project.read("generated/desk/notes/v1/notes_pb.ts")).toContain("<<<<<<<");
  expect(project.read("generated/manifest.txt")).not.toContain("<<<<<<<");
  const { code, stderr } = await scaffold(project.root, ["generate"]);
  expect([code, stderr]).toEqual([0, expect.stringMatching(/, 0 conflicts, /)]);
  const service = project.read("generated/desk/notes/v1/notes_service.ts");
  expect(service).toContain("sortNote(");
  expect(service).toContain("postNote(");
}, 60_000);
