import { execFileSync } from "node:child_process";
import { symlinkSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { temporaryProject } from "../testing/project.js";
import { build } from "./build.js";
import { readSettings } from "./settings.js";

/** A project of one service, with a package from npm, a workspace, and names from tsconfig. */
function project() {
  const made = temporaryProject({
    "package.json": JSON.stringify({ name: "acme", type: "module", scaffold: {} }),
    "tsconfig.json": JSON.stringify({ compilerOptions: { paths: { "@acme/words/*.js": ["./words/*.ts"] } } }),
    "node_modules/fromnpm/package.json": JSON.stringify({ name: "fromnpm", type: "module", exports: "./index.js" }),
    "node_modules/fromnpm/index.js": "export const npm = 'npm';",
    "own/package.json": JSON.stringify({ name: "@acme/own", type: "module", exports: "./index.ts" }),
    "own/index.ts": "export const own: string = 'own';",
    "words/greeting.ts": "export const greeting: string = 'hello';",
    "services/orders/main.ts": `import { readFileSync } from "node:fs";
      import { npm } from "fromnpm";
      import { own } from "@acme/own";
      import { greeting } from "@acme/words/greeting.js";
      console.log(greeting, npm, own, readFileSync(new URL("./migrations/0001_create.sql", import.meta.url), "utf8"));`,
    "services/orders/migrations/0001_create.sql": "create table orders ();",
    "services/orders/migrations/0001_create.json": "{}",
    "services/sample.ts": "export default async (address: string) => console.log(address);",
    "services/gateway/main.ts": "console.log('gateway');",
    "services/gateway/web/main.ts": "import { npm } from 'fromnpm'; document.body.textContent = npm;",
    "services/gateway/web/index.html": "<script type=module src=main.js></script>",
  });
  symlinkSync("../../own", join(made.root, "node_modules", "own"));
  made.write("node_modules/@acme/.keep", "");
  symlinkSync("../../own", join(made.root, "node_modules", "@acme", "own"));
  return made;
}

test("deletes nothing that it did not build", async () => {
  const { root, read, write } = project();
  write("services/dist/mine.ts", "export {};\n");
  await expect(build(await readSettings(root))).rejects.toThrow("holds mine.ts, which was not built");
  expect(read("services/dist/mine.ts")).toBe("export {};\n");
});

test("bundles the project's own code, and leaves out what comes from npm", async () => {
  const { root, read } = project();
  await build(await readSettings(root));
  const main = read("services/dist/orders/main.js")!;
  expect(main).toMatch(/from "fromnpm"/);
  expect(main).not.toMatch(/from "@acme/);
  expect(execFileSync(process.execPath, [join(root, "services/dist/orders/main.js")], { encoding: "utf8" })).toBe(
    "hello npm own create table orders ();\n",
  );
  expect(read("services/dist/orders/main.js.map")).toContain("../../orders/main.ts");
  expect(read("services/dist/orders/migrations/0001_create.json")).toBeUndefined();
  expect(read("services/dist/sample.js")).toBeDefined();
  expect(read("services/dist/gateway/main.js")).toBeDefined();
});

test("bundles the gateway's page for browsers, with all it needs", async () => {
  const { root, read } = project();
  await build(await readSettings(root));
  expect(read("services/dist/gateway/web/main.js")).not.toContain("fromnpm");
  expect(read("services/dist/gateway/web/index.html")).toContain("main.js");
  expect(read("services/dist/gateway/web/main.ts")).toBeUndefined();
});

test("says all faults with their places, and leaves what was built before", async () => {
  const { root, read, write } = project();
  const settings = await readSettings(root);
  await build(settings);
  write("services/orders/main.ts", 'import "./nowhere.js";\nimport "unheard-of";\n');
  write("services/gateway/web/main.ts", "const = 1;");
  await expect(build(settings)).rejects.toThrow(
    /^the services do not build:\n {2}services\/orders\/main\.ts:1:8: Could not resolve ".\/nowhere\.js"\n {2}services\/orders\/main\.ts:2:8: Could not resolve "unheard-of"[^\n]*\n {2}services\/gateway\/web\/main\.ts:1:7: /,
  );
  expect(read("services/dist/orders/main.js")).toContain("fromnpm");
});

test("what is gone from the sources is gone from what is built", async () => {
  const { root, read, write } = project();
  const settings = await readSettings(root);
  await build(settings);
  write("services/dist/orders/migrations/0009_old.sql", "drop table orders;");
  write("services/dist/payments/main.js", "");
  await build(settings);
  expect(read("services/dist/orders/migrations/0009_old.sql")).toBeUndefined();
  expect(read("services/dist/payments/main.js")).toBeUndefined();
});
