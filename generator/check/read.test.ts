import { expect, test } from "vitest";
import { readSettings } from "../project/settings.js";
import { contractProject } from "../testing/contract-project.js";
import { read } from "./read.js";

test("what package.json says of services that are not there is a finding at its line", async () => {
  const scaffold = { names: { "desk.notes.v1": "memos", "desk.nots.v1": "x" }, run: ["desk.notes.v1.NotesService"] };
  const manifest = JSON.stringify({ name: "desk", scaffold }, undefined, 2);
  const { root } = contractProject({ "package.json": manifest });
  const { contract, findings } = await read(await readSettings(root));
  expect(contract.services.map(({ name }) => name)).toEqual(["memos"]);
  expect(findings.map(({ file, line, rule, message }) => `${file}:${line}: ${rule}: ${message}`)).toEqual([
    "package.json:9: OPTION_NAME_UNKNOWN: No service is called desk.notes.v1.NotesService: write its full name, from the package on. Did you mean desk.notes.v1.NoteService?",
    "package.json:6: OPTION_NAME_UNKNOWN: No service is called desk.nots.v1: write its full name, from the package on. Did you mean desk.notes.v1?",
  ]);
});
