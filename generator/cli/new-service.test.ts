import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { expect, it } from "vitest";
import { bufBinary } from "../image/buf.js";
import { scaffold } from "../testing/cli.js";
import { contractProject } from "../testing/contract-project.js";

const entity = ["--entity", "Product:name,price_cents:int64,tags:string[],sold_since:timestamp", "--entity", "Box"];

it.each([
  ["with entities", "catalog", entity],
  ["without", "order-history", []],
])("starts a service %s that lint, format and the generator accept", async (_, name, args) => {
  const project = contractProject();
  const started = await scaffold(project.root, ["new-service", name, ...args]);
  const word = name.replace("-", "_");
  const contract = `proto/desk/${word}/v1/${word}.proto`;
  expect(started).toMatchObject({ code: 0, stderr: expect.stringContaining(`Next:\n  ${contract}`) });
  const folder = `services/${name}`;
  expect(started.stdout).toBe(
    [contract, `${folder}/${name}.ts`, `${folder}/main.ts`, `${folder}/${name}.test.ts`]
      .map((path) => `create ${path}\n`)
      .join(""),
  );
  expect(project.read(`services/${name}/${name}.ts`)).toContain(
    `from "@desk/generated/desk/${word}/v1/${word}_service.js"`,
  );
  expect(await scaffold(project.root, ["lint"])).toEqual({ code: 0, stdout: "", stderr: "" });
  expect(await scaffold(project.root, ["generate", "--check"])).toMatchObject({ code: 0, stdout: "" });
  execFileSync(bufBinary(), ["format", "--diff", "--exit-code", "--path", contract], { cwd: project.root });
});

it("writes nothing over what is there, and starts again what was removed", async () => {
  const project = contractProject({ "services/catalog/catalog.ts": "mine\n" });
  const refused = await scaffold(project.root, ["new-service", "catalog"]);
  expect(refused).toMatchObject({ code: 1, stdout: "" });
  expect(refused.stderr).toContain("catalog is there already: services/catalog/catalog.ts");
  expect(project.read("services/catalog/main.ts")).toBeUndefined();

  await scaffold(project.root, ["new-service", "greeter"]);
  execFileSync("rm", ["-r", join(project.root, "services/greeter"), join(project.root, "proto/desk/greeter")]);
  expect(await scaffold(project.root, ["new-service", "greeter"])).toMatchObject({ code: 0 });
  expect(project.read("services/greeter/main.ts")).toContain("serve(greeter");
});

it("takes the project's own templates", async () => {
  const project = contractProject({ "templates/service/main.ts.hbs": "// {{camel name}} of {{package}}\n" });
  await scaffold(project.root, ["new-service", "order-history", "--package", "acme.order_history.v2"]);
  expect(project.read("services/order-history/main.ts")).toBe("// orderHistory of acme.order_history.v2\n");
  project.write("templates/service/main.ts.hbs", "{{missing}}\n");
  const refused = await scaffold(project.root, ["new-service", "other"]);
  expect(refused.stdout).toMatch(
    /^templates\/service\/main\.ts\.hbs:1:3: TEMPLATE_NAME_UNKNOWN: There is no missing here/,
  );
  expect(project.read("services/other/other.ts")).toBeUndefined();
});

it("starts another version of a package beside the first, under its name with the version", async () => {
  const project = contractProject();
  const args = (version: string) => ["new-service", `notes-${version}`, "--package", `desk.notes.${version}`];
  const entity = ["--entity", "Note:text"];
  expect(await scaffold(project.root, [...args("v2"), ...entity])).toMatchObject({ code: 0 });
  expect(project.read("proto/desk/notes/v2/notes.proto")).toContain("service NotesService {");
  expect(project.read("services/notes-v2/main.ts")).toContain("serve(notesV2");
  expect(project.read("generated/system.ts")).toContain('name: "notes-v2"');
  expect(project.read("services/notes-v2/migrations/0001_create_notes.sql")).toContain("CREATE TABLE");
  const alone = await scaffold(project.root, ["new-service", "tags-v2", "--package", "desk.tags.v2"]);
  expect(alone.stderr).toContain("desk.tags.v2 has no other version to stand beside: npx scaffold new-service tags ");
});

it("gives a name that is a word of TypeScript to everything but a constant", async () => {
  const project = contractProject();
  expect(await scaffold(project.root, ["new-service", "class", "--entity", "Class"])).toMatchObject({ code: 0 });
  expect(project.read("services/class/class.ts")).toContain("export const class$ = classService(");
  expect(project.read("services/class/main.ts")).toContain("await serve(class$,");
});

it.each(["gateway", "postgres", "balancer", "dist", "sample"])("refuses the name %s", async (name) => {
  const project = contractProject();
  const { code, stderr } = await scaffold(project.root, ["new-service", name]);
  expect({ code, stderr }).toEqual({
    code: 1,
    stderr: `scaffold: "${name}" is the system's own name for a part of it: choose another\n`,
  });
  expect(project.read(`services/${name}/main.ts`)).toBeUndefined();
});

it("says of a bad name only that it is bad", async () => {
  const { stderr } = await scaffold(contractProject().root, ["new-service", "Bad Name"]);
  expect(stderr).toBe('scaffold: "Bad Name" is not a valid name of a service: write it like order-history\n');
});

it("says all that is wrong with what was asked for", async () => {
  const project = contractProject();
  const args = [
    "Catalog",
    "--package",
    "desk.other.v1",
    "--entity",
    "product:Name,a:int,id,b,b",
    "--entity",
    "A",
    "--entity",
    "A",
  ];
  const { code, stderr } = await scaffold(project.root, ["new-service", ...args]);
  expect(code).toBe(1);
  for (const fault of [
    '"Catalog" is not a valid name',
    "belongs to another",
    '"product"',
    '"Name"',
    "a cannot be int",
    "id is there",
    "b is there twice",
    "A is there twice",
  ]) {
    expect(stderr).toContain(fault);
  }
});
