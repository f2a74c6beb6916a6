import { mkdirSync, readdirSync, rmSync, statSync, symlinkSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type TemporaryProject, temporaryProject } from "../testing/project.js";
import { type Action, isChange } from "./action.js";
import { writerOf } from "./manifest.js";
import { applyOutput, type OutputOptions, planOutput } from "./output.js";
import type { OutputFile } from "./output-file.js";
import { reconcile } from "./reconcile.js";
import { hash } from "./text.js";

const tool = (path: string, content: string): OutputFile => ({ path, content, owner: "tool" });
const user = (path: string, content: string): OutputFile => ({ path, content, owner: "user" });
const a = "generated/a.ts";
const starter = "services/a/main.ts";

const place = ({ root }: TemporaryProject) => ({ root, generated: "generated", version: "1.0.0" });

async function plan(project: TemporaryProject, wanted: OutputFile[], options?: OutputOptions): Promise<Action[]> {
  return planOutput(place(project), wanted, options);
}

async function run(project: TemporaryProject, wanted: OutputFile[], options?: OutputOptions): Promise<Action[]> {
  const actions = await plan(project, wanted, options);
  await applyOutput(place(project), actions);
  return actions;
}

const kindOf = (actions: Action[], path: string) => actions.find((action) => action.path === path)?.kind;

/** Every file's path, time and text: what must not change when nothing is done. */
function state({ root, read }: TemporaryProject): string[] {
  const names = readdirSync(root, { recursive: true, encoding: "utf8" }).sort();
  return names
    .filter((name) => statSync(join(root, name)).isFile() && !name.startsWith(".git/"))
    .map((name) => `${name} ${statSync(join(root, name)).mtimeMs} ${read(name)}`);
}

describe("a file of the tool's", () => {
  it("is created where there is none", async () => {
    const project = temporaryProject();
    expect(kindOf(await run(project, [tool(a, "1\n")]), a)).toBe("create");
    expect(project.read(a)).toBe("1\n");
  });

  it("is left alone, with its time, when it is as it should be", async () => {
    const project = temporaryProject();
    await run(project, [tool(a, "1\n")]);
    utimesSync(join(project.root, a), 1000, 1000);
    const before = state(project);
    expect(kindOf(await run(project, [tool(a, "1\n")]), a)).toBe("unchanged");
    expect(state(project)).toEqual(before);
  });

  it("is as it should be in a checkout with CRLF", async () => {
    const project = temporaryProject();
    await run(project, [tool(a, "1\n2\n")]);
    project.write(a, "1\r\n2\r\n");
    project.write("generated/manifest.txt", project.read("generated/manifest.txt")!.replaceAll("\n", "\r\n"));
    const before = state(project);
    expect(kindOf(await run(project, [tool(a, "1\n2\n")]), a)).toBe("unchanged");
    expect(state(project)).toEqual(before);
    expect(kindOf(await run(project, [tool(a, "3\n")]), a)).toBe("update");
  });

  it("is updated when it is as the tool left it", async () => {
    const project = temporaryProject();
    await run(project, [tool(a, "1\n")]);
    expect(kindOf(await run(project, [tool(a, "2\n")]), a)).toBe("update");
    expect(project.read(a)).toBe("2\n");
  });

  it("is updated when it was edited, but git has the edit", async () => {
    const project = temporaryProject();
    await run(project, [tool(a, "1\n")]);
    project.write(a, "edited\n");
    project.commit();
    expect(kindOf(await run(project, [tool(a, "2\n")]), a)).toBe("update");
    expect(project.git("show", `HEAD:${a}`)).toBe("edited\n");
  });

  it.each([
    ["edited after the commit", (project: TemporaryProject) => project.write(a, "edited\n")],
    [
      "edited and staged, but not committed",
      (project: TemporaryProject) => {
        project.write(a, "edited\n");
        project.git("add", a);
      },
    ],
  ])("is a conflict when it was %s", async (_, edit) => {
    const project = temporaryProject();
    await run(project, [tool(a, "1\n")]);
    project.commit();
    edit(project);
    const before = state(project);
    const wanted = [tool(a, "2\n"), tool("generated/b.ts", "b\n")];
    const actions = await plan(project, wanted);
    expect(actions).toContainEqual({
      kind: "conflict",
      path: a,
      content: "2\n",
      before: "edited\n",
      message: expect.stringContaining(`--force ${a}`),
    });
    await expect(applyOutput(place(project), actions)).rejects.toThrow(a);
    expect(state(project)).toEqual(before);

    expect(kindOf(await run(project, wanted, { forced: (path) => path === a }), a)).toBe("update");
    expect(project.read(a)).toBe("2\n");
  });

  it("is a conflict when it was there before the tool, and git does not have it", async () => {
    const project = temporaryProject({ [a]: "mine\n" });
    expect(kindOf(await plan(project, [tool(a, "1\n")]), a)).toBe("conflict");
    project.git("init", "--quiet");
    expect(kindOf(await plan(project, [tool(a, "1\n")]), a)).toBe("conflict");
  });

  it("is a conflict when the file was given to the user, even if git has it", async () => {
    const project = temporaryProject();
    await run(project, [user(starter, "1\n")]);
    project.write(starter, "mine\n");
    project.commit();
    expect(kindOf(await plan(project, [tool(starter, "2\n")]), starter)).toBe("conflict");
  });
});

describe("a file that is no longer wanted", () => {
  it("is deleted, with its empty folders, when it is as the tool left it", async () => {
    const project = temporaryProject();
    await run(project, [tool("generated/x/y/old.ts", "1\n"), tool("generated/x/new.ts", "1\n")]);
    expect(kindOf(await run(project, [tool("generated/x/new.ts", "1\n")]), "generated/x/y/old.ts")).toBe("delete");
    expect(readdirSync(join(project.root, "generated/x"))).toEqual(["new.ts"]);
  });

  it("is a conflict when it was edited", async () => {
    const project = temporaryProject();
    await run(project, [tool(a, "1\n")]);
    project.write(a, "edited\n");
    expect(kindOf(await plan(project, []), a)).toBe("conflict");
    expect(kindOf(await run(project, [], { forced: () => true }), a)).toBe("delete");
    expect(project.read(a)).toBeUndefined();
  });

  it("is forgotten when it is gone already", async () => {
    const project = temporaryProject();
    await run(project, [tool(a, "1\n")]);
    const clean = temporaryProject({ "generated/manifest.txt": project.read("generated/manifest.txt")! });
    expect(kindOf(await run(clean, []), a)).toBe("forget");
    expect(clean.read("generated/manifest.txt")).not.toContain(a);
  });

  it("stays, remembered, when the run does not speak for it", async () => {
    const project = temporaryProject();
    await run(project, [tool("generated/x.ts", "1\n"), tool("generated/y.ts", "1\n")]);
    const actions = await run(project, [tool("generated/y.ts", "2\n")], { part: (path) => path === "generated/y.ts" });
    expect(kindOf(actions, "generated/x.ts")).toBeUndefined();
    expect(kindOf(await plan(project, [tool("generated/y.ts", "2\n")]), "generated/x.ts")).toBe("delete");
  });

  it("is left alone when it never was the tool's", async () => {
    const project = temporaryProject({ "generated/foreign.ts": "mine\n" });
    expect(kindOf(await run(project, []), "generated/foreign.ts")).toBe("foreign");
    expect(project.read("generated/foreign.ts")).toBe("mine\n");
  });
});

describe("a starter", () => {
  it("is created once, and recorded", async () => {
    const project = temporaryProject();
    expect(kindOf(await run(project, [user(starter, "1\n")]), starter)).toBe("create");
    expect(project.read("generated/manifest.txt")).toContain(`${starter} user\n`);
  });

  it("stays away once the user has removed it", async () => {
    const project = temporaryProject();
    await run(project, [user(starter, "1\n")]);
    const clean = temporaryProject({ "generated/manifest.txt": project.read("generated/manifest.txt")! });
    expect(await run(clean, [user(starter, "1\n")])).toEqual([{ kind: "keep", path: starter, present: false }]);
    expect(clean.read(starter)).toBeUndefined();
    await run(clean, [user(starter, "2\n")], { recreate: true });
    expect(clean.read(starter)).toBe("2\n");
  });

  it("is never written again, whatever it says", async () => {
    const project = temporaryProject({ [starter]: "mine\n" });
    expect(kindOf(await run(project, [user(starter, "1\n")], { forced: () => true }), starter)).toBe("keep");
    expect(project.read(starter)).toBe("mine\n");
  });

  it("is not removed when it is no longer asked for", async () => {
    const project = temporaryProject();
    await run(project, [user(starter, "1\n")]);
    expect(await run(project, [])).toEqual([]);
    expect(project.read(starter)).toBe("1\n");
  });
});

describe("symbolic links", () => {
  it("are not followed out of the project", async () => {
    const outside = temporaryProject({ "a.ts": "outside\n" });
    const project = temporaryProject();
    await run(project, [tool("generated/x/a.ts", "1\n")]);
    mkdirSync(join(project.root, "generated/y"));
    symlinkSync(outside.root, join(project.root, "generated/z"));
    const actions = await plan(project, [tool("generated/z/a.ts", "1\n")], { forced: () => true });
    expect(actions).toContainEqual(
      expect.objectContaining({ kind: "conflict", message: expect.stringContaining("leaves the project") }),
    );
    expect(outside.read("a.ts")).toBe("outside\n");
  });

  it("are not written through, only replaced", async () => {
    const outside = temporaryProject({ "a.ts": "outside\n" });
    const project = temporaryProject({ "generated/other.ts": "" });
    symlinkSync(join(outside.root, "a.ts"), join(project.root, a));
    expect(kindOf(await plan(project, [tool(a, "1\n")]), a)).toBe("conflict");
    expect(kindOf(await run(project, [tool(a, "1\n")], { forced: () => true }), a)).toBe("create");
    expect([project.read(a), outside.read("a.ts")]).toEqual(["1\n", "outside\n"]);
  });

  it("may lead from one folder of the project to another", async () => {
    const project = temporaryProject({ "packages/words/readme": "" });
    symlinkSync("packages/words", join(project.root, "generated"));
    await run(project, [tool(a, "1\n")]);
    expect(project.read("packages/words/a.ts")).toBe("1\n");
  });
});

describe("names that differ only in case", () => {
  it("are refused: one of them would be lost where case does not count", async () => {
    const project = temporaryProject();
    const wanted = [tool("generated/Orders.ts", "1\n"), tool("generated/orders.ts", "2\n")];
    const actions = await plan(project, wanted, { forced: () => true });
    expect(actions).toContainEqual(
      expect.objectContaining({
        kind: "conflict",
        message: expect.stringContaining("differs from generated/Orders.ts"),
      }),
    );
  });

  it.each([
    ["where case counts", false],
    ["where it does not", true],
  ])("may follow each other: the old goes before the new is written, %s", async (_, oneFile) => {
    const was = "generated/orders.ts";
    const is = "generated/Orders.ts";
    const manifest = new Map([[was, new Set([hash("1\n")])]]);
    for (const content of ["1\n", "2\n"]) {
      const there = { kind: "file", content: "1\n" } as const;
      const disk = new Map(oneFile ? [[was, there] as const, [is, there] as const] : [[was, there] as const]);
      const actions = reconcile([tool(is, content)], disk, manifest, { clean: new Set() });
      expect(actions.map(({ kind, path }) => [kind, path])).toEqual([
        [oneFile ? "update" : "create", is],
        ["delete", was],
      ]);
    }
    const project = temporaryProject();
    await run(project, [tool(was, "1\n")]);
    await run(project, [tool(is, "1\n")]);
    expect(readdirSync(join(project.root, "generated")).sort()).toEqual(["Orders.ts", "manifest.txt"]);
  });
});

describe("a newer tool's files", () => {
  it("are not touched by an older one, unless it is told to go back", async () => {
    const project = temporaryProject();
    const newer = { ...place(project), version: "1.1.0" };
    await applyOutput(newer, await planOutput(newer, [tool(a, "newer\n")]));
    // Whatever else a newer tool may write there.
    const manifest = `${project.read("generated/manifest.txt")}a line of tomorrow\n`;
    project.write("generated/manifest.txt", manifest);
    const before = state(project);
    const actions = await plan(project, [tool(a, "1\n")]);
    expect(actions).toEqual([
      expect.objectContaining({
        kind: "conflict",
        path: "generated/manifest.txt",
        message: expect.stringMatching(/written by scaffold 1\.1\.0, and this is 1\.0\.0\. Install .*--force /),
      }),
    ]);
    await expect(applyOutput(place(project), actions)).rejects.toThrow();
    expect(state(project)).toEqual(before);

    project.write("generated/manifest.txt", manifest.replace("a line of tomorrow\n", ""));
    await run(project, [tool(a, "1\n")], { forced: (path) => path === "generated/manifest.txt" });
    expect([project.read(a), project.read("generated/manifest.txt")]).toEqual([
      "1\n",
      expect.stringContaining("# scaffold 1.0.0\n"),
    ]);
  });

  it("are the newer one's after a merge", () => {
    expect(writerOf("# scaffold 1.9.0\n# scaffold 1.10.0\n# scaffold 1.10.0-beta.2\n")).toBe("1.10.0");
    expect(writerOf("# What scaffold wrote\n")).toBeUndefined();
  });
});

it("writes over a file that a merge has left in conflict", async () => {
  const project = temporaryProject();
  for (const [branch, text] of [
    ["base", "1\n"],
    ["side", "side\n"],
    ["main", "main\n"],
  ] as const) {
    if (branch === "side") project.git("checkout", "--quiet", "-b", branch);
    if (branch === "main") project.git("checkout", "--quiet", branch);
    project.write("generated/.gitattributes", "manifest.txt merge=union\n");
    await run(project, [tool("generated/.gitattributes", "manifest.txt merge=union\n"), tool(a, text)]);
    project.commit();
  }
  expect(() => project.git("merge", "side")).toThrow();
  expect(project.read(a)).toContain("<<<<<<< HEAD");
  await run(project, [tool("generated/.gitattributes", "manifest.txt merge=union\n"), tool(a, "both\n")]);
  expect(project.read(a)).toBe("both\n");
});

it("refuses a folder in a file's place, and a file in a folder's", async () => {
  const project = temporaryProject({ "generated/a.ts/x": "", "generated/b": "" });
  const actions = await plan(project, [tool(a, "1\n"), tool("generated/b/c.ts", "1\n")]);
  expect(actions.filter(({ kind }) => kind === "conflict").map(({ path }) => path)).toEqual([a, "generated/b/c.ts"]);
});

it("refuses paths outside the project, wanted or remembered", async () => {
  const hash = "0".repeat(64);
  const project = temporaryProject();
  await expect(plan(project, [tool("../a.ts", "1\n")])).rejects.toThrow("not a path inside the project");
  project.write("generated/manifest.txt", `../precious ${hash}\n`);
  await expect(plan(project, [])).rejects.toThrow("not a path inside the project");
});

it("resumes a run that died between two files without a conflict", async () => {
  const project = temporaryProject();
  const wanted = (text: string) => ["a", "b", "c"].map((name) => tool(`generated/${name}.ts`, `${text}\n`));
  await run(project, wanted("1"));
  const actions = await plan(project, wanted("2"));
  // A folder where the second file's neighbour goes: the run fails half way, after the first file.
  const broken = actions.map((action) =>
    action.path === "generated/b.ts" && action.kind === "update" ? { ...action, path: "generated/a.ts/b.ts" } : action,
  );
  await expect(applyOutput(place(project), broken)).rejects.toThrow("generated/a.ts is a file");
  expect(project.read(a)).toBe("2\n");

  const next = await run(project, wanted("3"));
  expect(next.filter(isChange).map(({ kind }) => kind)).toEqual(["update", "update", "update", "update"]);
  expect(
    project
      .read("generated/manifest.txt")!
      .split("\n")
      .filter((line) => line.includes("a.ts")),
  ).toHaveLength(1);
});

it("clears away what a run that was killed has left: parts of files, empty folders", async () => {
  const project = temporaryProject();
  await run(project, [tool("generated/deep/down/a.ts", "1\n"), tool("generated/b.ts", "1\n")]);
  project.write("generated/.0123456789ab.scaffold-part", "hal");
  rmSync(join(project.root, "generated/deep/down"), { recursive: true });
  await run(project, [tool("generated/b.ts", "1\n")]);
  expect(readdirSync(join(project.root, "generated")).sort()).toEqual(["b.ts", "manifest.txt"]);
});

it("does not take a starter for written that a run which was killed had yet to write", async () => {
  const project = temporaryProject();
  const actions = await plan(project, [tool(a, "1\n"), user(starter, "1\n")]);
  project.write("services/a", "in the way");
  await expect(applyOutput(place(project), actions)).rejects.toThrow(starter);
  rmSync(join(project.root, "services"), { recursive: true });
  expect(kindOf(await run(project, [tool(a, "1\n"), user(starter, "1\n")]), starter)).toBe("create");
});

it("writes the same bytes whatever the order it was asked in", async () => {
  const files = ["generated/b.ts", "generated/C.ts", "generated/a/z.ts"].map((path) => tool(path, path));
  const [one, two] = [temporaryProject(), temporaryProject()];
  await run(one, files);
  await run(two, files.toReversed());
  expect(one.read("generated/manifest.txt")).toBe(two.read("generated/manifest.txt"));
});
