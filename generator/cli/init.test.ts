import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { scaffold } from "../testing/cli.js";
import { temporaryProject } from "../testing/project.js";

const init = ["init", "--no-install"];
const repository = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
  overrides: object;
  allowScripts: object;
  devDependencies: Record<string, string>;
};

it("makes an empty folder a project that lint and the generator accept, and asks nothing without a terminal", async () => {
  const project = temporaryProject();
  const { code, stdout, stderr } = await scaffold(project.root, [...init, "--name", "shop"]);
  expect({ code, stdout: stdout.split("\n").slice(0, 7) }).toEqual({
    code: 0,
    stdout: ["package.json", ".gitignore", "README.md", "buf.yaml", "services/gateway/main.ts", "tsconfig.json"]
      .concat("vitest.config.ts")
      .map((path) => `create ${path}`),
  });
  expect(stderr).toBe(
    "\nNext:\n  npm install\n" +
      "  npx scaffold new-service catalog --entity Product:name,price_cents:int64,tags:string[]\n  npm start\n",
  );
  const manifest = JSON.parse(project.read("package.json")!) as Record<string, Record<string, string>>;
  expect(Object.keys(manifest).slice(0, 4)).toEqual(["name", "version", "private", "type"]);
  expect(manifest.scaffold).toEqual({ services: "services", generated: "generated", package: "@shop/generated" });
  // What holds here holds there.
  expect(manifest).toMatchObject({ overrides: repository.overrides, allowScripts: repository.allowScripts });
  for (const name of ["@types/node", "typescript", "vitest"]) {
    expect(manifest.devDependencies![name]).toBe(repository.devDependencies[name]);
  }
  const generated = JSON.parse(project.read("generated/package.json")!) as { peerDependencies: object };
  expect(manifest.dependencies).toEqual(generated.peerDependencies);

  expect(await scaffold(project.root, ["lint"])).toMatchObject({ code: 0, stdout: "" });
  expect(await scaffold(project.root, ["generate", "--check"])).toMatchObject({ code: 0, stdout: "" });
  const greeter = await scaffold(project.root, ["new-service", "greeter"]);
  expect(greeter.stdout).toContain("create proto/shop/greeter/v1/greeter.proto\n");
});

it("adds to a project that is there what it lacks, and changes nothing", async () => {
  const manifest = {
    name: "@acme/desk",
    type: "commonjs",
    scripts: { start: "node index.js", test: 'echo "Error: no test specified" && exit 1' },
    workspaces: ["packages/*"],
    devDependencies: { protoscaffold: "file:protoscaffold.tgz" },
  };
  const tsconfig = "{}\n";
  const project = temporaryProject({
    "package.json": `${JSON.stringify(manifest, undefined, "\t")}\n`,
    "tsconfig.json": tsconfig,
    "index.js": "",
  });
  const first = await scaffold(project.root, init);
  expect(first.code).toBe(0);
  expect(first.stdout).toMatch(
    /^update package\.json: added version, private, engines\.node, workspaces, scripts\.test, /,
  );
  expect(first.stdout).toContain("keep tsconfig.json: it is yours\n");
  expect(project.read("tsconfig.json")).toBe(tsconfig);
  const text = project.read("package.json")!;
  expect(text).toContain('\n\t"name"');
  expect(JSON.parse(text)).toMatchObject({
    name: "@acme/desk",
    type: "commonjs",
    scripts: { start: "node index.js", test: "vitest run", check: "scaffold check" },
    workspaces: ["packages/*", "generated"],
    scaffold: { package: "@acme/desk-generated" },
    devDependencies: manifest.devDependencies,
  });

  const again = await scaffold(project.root, init);
  expect(again.stdout.split("\n").filter((line) => line !== "" && !line.startsWith("keep "))).toEqual([]);
  expect(project.read("package.json")).toBe(text);
});

it("says what is wrong with what is there or asked for", async () => {
  const broken = temporaryProject({ "package.json": "{" });
  expect(await scaffold(broken.root, init)).toMatchObject({ code: 1, stderr: /^scaffold: package\.json is not valid/ });
  const project = temporaryProject();
  const refused = await scaffold(project.root, [...init, "--package", "No Name"]);
  expect(refused).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('"No Name", which is not a valid name of an npm'),
  });
  expect(project.read("package.json")).toBeUndefined();
});
