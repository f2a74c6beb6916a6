import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { listTemplates } from "../scaffold/templates.js";
import { scaffold } from "../testing/cli.js";
import { contractProject } from "../testing/contract-project.js";

const handlers = "service/handlers.ts.hbs";

it("lists templates, hands one over, and never writes over it", async () => {
  const project = contractProject();
  expect((await scaffold(project.root, ["templates", "list"])).stdout.split("\n")).toContain(handlers);
  expect(await scaffold(project.root, ["templates", "eject", handlers])).toMatchObject({
    code: 0,
    stdout: `create templates/${handlers}\n`,
  });
  project.write(`templates/${handlers}`, "// The way we write them.\n");
  project.write("templates/service/handler.ts.hbs", "");
  const { code, stdout } = await scaffold(project.root, ["templates", "list"]);
  expect(code).toBe(0);
  expect(stdout).toMatch(new RegExp(`^${handlers} +templates/${handlers}$`, "m"));
  expect(stdout).toMatch(
    /^templates\/service\/handler\.ts\.hbs:1:1: TEMPLATE_UNUSED: note: .* Did you mean service\/handlers\.ts\.hbs\?$/m,
  );
  expect(await scaffold(project.root, ["templates", "eject", handlers])).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("there already, and yours"),
  });
  await scaffold(project.root, ["new-service", "greeter"]);
  expect(project.read("services/greeter/greeter.ts")).toBe("// The way we write them.\n");
});

it("takes its own templates for nobody's, in its own checkout", async () => {
  const { templates } = await listTemplates(fileURLToPath(new URL("../..", import.meta.url)));
  expect(templates).toContainEqual({ name: handlers, overridden: false });
  expect(templates.filter(({ overridden }) => overridden)).toEqual([]);
});

it("says where a project's own template is broken, and writes nothing", async () => {
  const project = contractProject({ [`templates/${handlers}`]: "a\n{{#if entities}}b{{/each}}\n" });
  const line = `templates/${handlers}:2:4: TEMPLATE_BROKEN: if doesn't match each: make them a pair.\n`;
  const made = await scaffold(project.root, ["new-service", "greeter"]);
  expect(made).toMatchObject({ code: 100, stdout: line });
  expect(project.read("services/greeter/main.ts")).toBeUndefined();
  const listed = await scaffold(project.root, ["templates", "list"]);
  expect(listed).toMatchObject({ code: 100, stdout: expect.stringContaining(line) });
});

it.each([
  [["templates"], "Name a command: list or eject"],
  [["templates", "lst"], "scaffold templates --help"],
  [["templates", "eject", "service/handler.ts.hbs"], `is not a template. Did you mean ${handlers}?`],
])("refuses %j", async (args, message) => {
  const { code, stderr } = await scaffold(contractProject().root, args);
  expect(code).toBe(1);
  expect(stderr).toContain(message);
});
