import { describe, expect, it } from "vitest";
import type { Settings } from "../project/settings.js";
import { type TemporaryProject, temporaryProject } from "../testing/project.js";
import { bufBinary, bufBreaking, bufLint } from "./buf.js";
import { buildImage, CompileError } from "./compile.js";
import { descriptors } from "./descriptors.js";

const bufYaml = "version: v2\nmodules: [{path: proto}]\n";
const clean = `syntax = "proto3";\n\npackage a.v1;\n\n// A thing.\nmessage Thing {\n  string name = 1;\n}\n`;

const settings = ({ root }: TemporaryProject): Settings => ({
  root,
  services: "services",
  generated: "generated",
  package: "a-generated",
  names: {},
  run: [],
});

describe("buildImage", () => {
  it("compiles the protos, with their comments and places", async () => {
    const project = temporaryProject({ "buf.yaml": bufYaml, "proto/a/v1/a.proto": clean });
    const image = await buildImage(settings(project));
    expect(descriptors(image).file.map(({ name }) => name)).toEqual(["a/v1/a.proto"]);
    expect(JSON.stringify(descriptors(image).file[0]!.sourceCodeInfo)).toContain("A thing.");
    expect(image.locate("a/v1/a.proto")).toBe("proto/a/v1/a.proto");
    expect(image.locate("google/protobuf/any.proto")).toBe("google/protobuf/any.proto");
  });

  it("reports all errors of a contract that does not compile", async () => {
    const project = temporaryProject({
      "buf.yaml": bufYaml,
      "proto/a/v1/a.proto": clean.replace("string", "Missing"),
      "proto/a/v1/b.proto": clean.replace("Thing", "Other").replace("string", "Missing"),
    });
    const error: unknown = await buildImage(settings(project)).catch((error: unknown) => error);
    expect(error).toBeInstanceOf(CompileError);
    expect((error as CompileError).diagnostics).toMatchObject([
      { file: "proto/a/v1/a.proto", line: 7, column: 3, rule: "COMPILE", severity: "error" },
      { file: "proto/a/v1/b.proto", line: 7, column: 3, rule: "COMPILE", severity: "error" },
    ]);
  });

  it("names what is imported and does not exist", async () => {
    const header = clean.split("\n\n")[0]!;
    const project = temporaryProject({
      "buf.yaml": bufYaml,
      "proto/a/v1/a.proto": [
        header,
        "package a.v1;",
        'import "a/v1/gone.proto";',
        "import public \"proto/a/v1/b.proto\"; import 'b.proto';",
        '  import "google/type/"',
        '    "money.proto"; // Two literals are one.',
        'import "google/protobuf/timestamp.proto";',
      ].join("\n"),
      "proto/a/v1/b.proto": clean,
    });
    const error: unknown = await buildImage(settings(project)).catch((error: unknown) => error);
    const found = (error as CompileError).diagnostics.map(({ file, line, message }) => `${file}:${line}: ${message}`);
    const nowhere = "does not exist in proto, nor in the deps of buf.yaml: add it there, or remove the import.";
    expect(found).toEqual([
      `proto/a/v1/a.proto:3: The import "a/v1/gone.proto" ${nowhere} Did you mean "a/v1/b.proto"?`,
      'proto/a/v1/a.proto:4: The import "proto/a/v1/b.proto" does not exist: paths begin in proto, so write "a/v1/b.proto".',
      `proto/a/v1/a.proto:4: The import "b.proto" ${nowhere} Did you mean "a/v1/b.proto"?`,
      `proto/a/v1/a.proto:5: The import "google/type/money.proto" ${nowhere}`,
    ]);
    expect(await bufLint(settings(project))).toEqual((error as CompileError).diagnostics);
    expect(await bufBreaking(settings(project), ["--against", "."])).toEqual((error as CompileError).diagnostics);
  });

  it("names imports of folders, and a file in each", async () => {
    const long = "x".repeat(300);
    const project = temporaryProject({
      "buf.yaml": bufYaml,
      "proto/a/v1/a.proto": [
        clean.split("\n\n")[0]!,
        "package a.v1;",
        'import "a/v1";',
        'import "proto/a";',
        'import "b";',
        'import "b.proto";',
        `import "${long}";`,
      ].join("\n"),
      "proto/a/v1/b.proto": clean,
      "proto/b/notes.txt": "",
      "proto/b.proto/c.proto": clean.replace("package a.v1", "package c.v1"),
    });
    const error: unknown = await buildImage(settings(project)).catch((error: unknown) => error);
    const found = (error as CompileError).diagnostics.map(({ file, line, message }) => `${file}:${line}: ${message}`);
    const nowhere = "does not exist in proto, nor in the deps of buf.yaml: add it there, or remove the import.";
    const folder = "is a folder, and imports name files";
    expect(found).toEqual([
      `proto/a/v1/a.proto:3: The import "a/v1" ${folder}: write "a/v1/b.proto", or another one in it.`,
      `proto/a/v1/a.proto:4: The import "proto/a" ${nowhere}`,
      `proto/a/v1/a.proto:5: The import "b" ${folder}: remove the import.`,
      `proto/a/v1/a.proto:6: The import "b.proto" ${folder}: write "b.proto/c.proto", or another one in it.`,
      `proto/a/v1/a.proto:7: The import "${long}" ${nowhere}`,
    ]);
  });

  it.each([
    ["without buf.yaml", {}, "buf.yaml is missing"],
    ["with a buf.yaml that is not YAML", { "buf.yaml": "a: [" }, "buf.yaml:"],
    ["with a buf.yaml that buf refuses", { "buf.yaml": "version: v7\n" }, 'unknown file version: "v7"'],
    ["without protos", { "buf.yaml": bufYaml, "proto/readme": "" }, "no .proto files"],
  ])("fails %s", async (_, files: Record<string, string>, message) => {
    await expect(buildImage(settings(temporaryProject(files)))).rejects.toThrow(message);
  });
});

it("reports what buf lint finds", async () => {
  const project = temporaryProject({ "buf.yaml": bufYaml, "proto/a/v1/a.proto": clean.replace("name", "Name") });
  expect(await bufLint(settings(project))).toMatchObject([
    { file: "proto/a/v1/a.proto", line: 7, column: 10, rule: "FIELD_LOWER_SNAKE_CASE" },
  ]);
});

it("reports what buf breaking finds against a branch", async () => {
  const project = temporaryProject({ "buf.yaml": bufYaml, "proto/a/v1/a.proto": clean });
  project.commit();
  const against = ["--against", ".git#branch=main"];
  expect(await bufBreaking(settings(project), against)).toEqual([]);
  project.write("proto/a/v1/a.proto", clean.replace("string", "int32"));
  expect(await bufBreaking(settings(project), against)).toMatchObject([
    { file: "proto/a/v1/a.proto", line: 7, column: 3, rule: "FIELD_SAME_TYPE" },
  ]);
});

describe("bufBinary", () => {
  it("says what to do on a system that buf does not know", () => {
    expect(() => bufBinary("plan9 mips", undefined)).toThrow(/no binary for plan9 mips.*BUF=/);
  });

  it("says what to do when the package is not installed", () => {
    expect(() => bufBinary("win32 arm64", undefined)).toThrow(
      /buf is missing: there is no @bufbuild\/buf-win32-arm64.*npm install/,
    );
  });
});
