import { join } from "node:path";
import { expect, it } from "vitest";
import { temporaryProject } from "../testing/project.js";
import { findRoot, readSettings } from "./settings.js";

const read = (content: unknown) => readSettings(temporaryProject({ "package.json": JSON.stringify(content) }).root);

it("fills in defaults", async () => {
  expect(await read({ name: "@acme/shop" })).toEqual({
    root: expect.any(String),
    services: "services",
    generated: "generated",
    package: "@acme/shop-generated",
    names: {},
    run: [],
  });
});

it("takes what the project says", async () => {
  const scaffold = {
    services: "examples/shop",
    generated: "gen",
    package: "@shop/generated",
    names: { "acme.database.v1": "acme-database" },
    run: ["acme.database.v1.DatabaseService"],
  };
  expect(await read({ scaffold })).toMatchObject(scaffold);
});

it("says all that is wrong", async () => {
  const scaffold = {
    service: "x",
    services: "../services",
    generated: 1,
    package: "Not A Name",
    names: { "a.v1": "A_b", "b.v1": 1, "c.v1": "-", "d.v1": "fine" },
    run: "a.v1.AService",
  };
  const error: Error = await read({ scaffold }).then(
    () => expect.unreachable(),
    (error) => error,
  );
  expect(error.message.split("\n")).toEqual([
    expect.stringMatching(/"service" is not a setting. There are: services, generated, package, names, run/),
    expect.stringMatching(/"services": .*not a path inside the project/),
    expect.stringMatching(/"generated": 1 is not/),
    expect.stringMatching(/"package" is "Not A Name"/),
    expect.stringMatching(/"names": "A_b" cannot name a.v1: use words/),
    expect.stringMatching(/"names": 1 cannot name b.v1/),
    expect.stringMatching(/"names": "-" cannot name c.v1/),
    expect.stringMatching(/"run" must be a list/),
  ]);
});

it.each([
  [{}, /"package" is needed/],
  [{ name: "a", scaffold: [] }, /must be an object/],
  [{ name: "a", scaffold: { names: [] } }, /"names" must be an object/],
  [{ name: "a", scaffold: { generated: "." } }, /not a path inside/],
  [{ name: "a", scaffold: { generated: "src", services: "src/services" } }, /all the tool's/],
  [{ name: "a", scaffold: { generated: "src", services: "src" } }, /all the tool's/],
])("refuses %j", async (content, message) => {
  await expect(read(content)).rejects.toThrow(message);
});

it("says which package.json is broken", async () => {
  const project = temporaryProject({ "package.json": "{" });
  await expect(readSettings(project.root)).rejects.toThrow(join(project.root, "package.json"));
});

it("finds the root from a folder inside", async () => {
  const marked = temporaryProject({ "package.json": `{"scaffold": {}}`, "a/package.json": "{}" });
  expect(await findRoot(join(marked.root, "a", "b"))).toBe(marked.root);
  const byBuf = temporaryProject({ "package.json": "{}", "buf.yaml": "version: v2\n" });
  expect(await findRoot(join(byBuf.root, "a"))).toBe(byBuf.root);
  await expect(findRoot(temporaryProject().root)).rejects.toThrow("not inside a project");
});
