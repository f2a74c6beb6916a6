import { execFileSync } from "node:child_process";
import { expect, it } from "vitest";
import { temporaryProject } from "../testing/project.js";
import type { Action } from "./action.js";
import { diff } from "./diff.js";

it("prints a patch that git applies", () => {
  const long = Array.from({ length: 40 }, (_, line) => `${line}\n`).join("");
  const project = temporaryProject({ "x/update.ts": long, "x/delete.ts": "gone\n" });
  project.commit();
  const actions: Action[] = [
    { kind: "create", path: "x/create.ts", owner: "tool", content: "new\n" },
    { kind: "create", path: "x/empty.ts", owner: "tool", content: "" },
    { kind: "update", path: "x/update.ts", before: long, content: long.replace("20\n", "twenty\n").slice(0, -1) },
    { kind: "delete", path: "x/delete.ts", before: "gone\n" },
    { kind: "unchanged", path: "x/same.ts", content: "1\n" },
  ];
  execFileSync("git", ["apply"], { cwd: project.root, input: actions.map(diff).join("") });
  expect(project.git("status", "--porcelain", "-uall").split("\n")).toEqual([
    " D x/delete.ts",
    " M x/update.ts",
    "?? x/create.ts",
    "?? x/empty.ts",
    "",
  ]);
  expect(project.read("x/update.ts")).toBe(long.replace("20\n", "twenty\n").slice(0, -1));
});
