import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { freePort } from "./dev/ports.js";
import { removePostgres } from "./dev/postgres.js";
import { npmStart, packPackages, quiet, run, type UserSystem } from "./testing/outside.js";

/** Everything happens here, outside the repository. Closed to other users, as mkdtemp makes it. */
const place = realpathSync(mkdtempSync(join(tmpdir(), "scaffold-walk-")));
const project = join(place, "corner-shop");
const tarballs: string[] = [];
let system: UserSystem | undefined;
let address = "";

beforeAll(async () => {
  tarballs.push(...(await packPackages(place)));
});

afterAll(async () => {
  await system?.stop();
  // As root, the data is kept where PostgreSQL's user may go.
  await removePostgres(join(project, ".scaffold", "postgres"));
  rmSync(place, { recursive: true, force: true });
});

test("the runtime library brings no compiler, no template engine, no database, and loads whole", async () => {
  const folder = join(place, "production");
  mkdirSync(folder);
  await run(folder, "npm", "install", ...quiet, tarballs[0]!);
  const { stdout } = await run(folder, "npm", "ls", "--all", "--json");
  const packages = names(JSON.parse(stdout) as Tree);
  expect(packages).toContain("@protoscaffold/runtime");
  expect(packages.filter((name) => foreign.test(name))).toEqual([]);

  const dist = join(folder, "node_modules/@protoscaffold/runtime/dist");
  const modules = readdirSync(dist, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".js"));
  const faces = ["service", "testing", "gateway", "data", "codegen/codec", "codegen/options/scaffold/v1/options_pb.js"];
  const all = [
    ...modules.map((name) => `./node_modules/@protoscaffold/runtime/dist/${name}`),
    ...faces.map((name) => `@protoscaffold/runtime/${name}`),
  ];
  writeFileSync(join(folder, "all.mjs"), all.map((name) => `import "${name}";\n`).join(""));
  await run(folder, process.execPath, "all.mjs");
});

test("the tool and the library install from their tarballs, and init makes a project of an empty folder", async () => {
  mkdirSync(project);
  await run(project, "npm", "install", ...quiet, ...tarballs);
  expect((await run(project, "npx", "scaffold", "--version")).stdout).toBe("0.1.0\n");
  const { stdout, stderr } = await run(project, "npx", "scaffold", "init");
  expect(stdout).toContain("update package.json: added name, ");
  expect(stdout).toContain("create proto/google/api/annotations.proto\n");
  expect(stderr).toMatch(/\nNext:\n {2}npx scaffold new-service catalog .*\n {2}npm start\n {2}npm test\n$/);
  expect(stderr).not.toContain("install-scripts");
  await run(project, "npm", "ci", "--engine-strict", ...quiet);
  await run(project, "npm", "ls", "--all");
});

test("a service starts with one command; what it is made of is fresh, linted and typed", async () => {
  const entity = "Product:name,price_cents:int64,tags:string[]";
  await run(project, "npx", "scaffold", "new-service", "catalog", "--entity", entity);
  const generated = readdirSync(join(project, "generated/corner_shop/catalog/v1"));
  for (const what of ["pb", "service", "client", "browser", "routes", "schema", "repository", "cache"]) {
    expect(generated).toContain(`catalog_${what}.ts`);
  }
  await run(project, "npx", "scaffold", "generate", "--check");
  await run(project, "npm", "run", "check");
});

test("its own tests pass", async () => {
  expect((await run(project, "npm", "test")).stdout).toMatch(/Tests.* 1 passed/);
});

test("a test of its own runs the whole system", async () => {
  const path = join(project, "services/system.test.ts");
  writeFileSync(
    path,
    `import { startSystem } from "protoscaffold/testing/system";
import { expect, test } from "vitest";

test("the system answers", async () => {
  const system = await startSystem({ root: process.cwd(), state: ".scaffold/tests/system" });
  try {
    expect((await fetch(system.address + "/readyz")).status).toBe(200);
    expect((await system.processes()).every(({ state }) => state === "healthy")).toBe(true);
    expect(await system.query<{ one: number }>("catalog", "select 1 as one")).toEqual([{ one: 1 }]);
    expect(JSON.parse(await system.run("ps", "--json"))).toHaveLength((await system.processes()).length);
  } finally {
    await system.stop();
  }
}, 120_000);
`,
  );
  await run(project, "npm", "run", "check");
  expect((await run(project, "npx", "vitest", "run", "services/system.test.ts")).stdout).toMatch(/Tests.* 1 passed/);
  expect(existsSync(join(project, ".scaffold/tests/system"))).toBe(false);
  rmSync(path);
});

test("npm start runs it", async () => {
  const port = String(await freePort());
  system = await npmStart(project, port);
  address = system.address;
  expect(address).toBe(`http://127.0.0.1:${port}`);
});

test("it answers over REST", async () => {
  const url = `${address}/v1/catalog/products`;
  const product = { name: "Cup", priceCents: "450", tags: ["blue", "small"] };
  const response = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(product),
  });
  const created = (await response.json()) as { id: string };
  expect(created).toMatchObject(product);
  expect(await (await fetch(`${url}/${created.id}`)).json()).toEqual(created);
});

test("it answers over gRPC", async () => {
  const method = "corner_shop.catalog.v1.CatalogService/ListProducts";
  const { stdout } = await run(project, "npx", "scaffold", "call", method, "--address", address);
  expect(JSON.parse(stdout)).toMatchObject({ products: [{ name: "Cup" }] });
});

test("it answers a page's typed client over gRPC-Web", async () => {
  writeFileSync(
    join(project, "page.ts"),
    `import { createCatalogServiceClient } from "@corner-shop/generated/corner_shop/catalog/v1/catalog_browser.js";
const catalog = createCatalogServiceClient({
  baseUrl: "${address}",
  fetch: (url, init) => (console.log(new Headers(init?.headers).get("content-type")), fetch(url, init)),
});
const { products } = await catalog.listProducts({});
console.log(products[0]?.priceCents === 450n);
`,
  );
  // For a browser: nothing of Node is in it.
  const options = ["--bundle", "--platform=browser", "--format=esm", "--outfile=page.mjs"];
  await run(project, "npx", "esbuild", "page.ts", ...options);
  expect((await run(project, process.execPath, "page.mjs")).stdout).toBe("application/grpc-web+proto\ntrue\n");
});

test("it stops, and nothing of it is left running", async () => {
  const ps = () => run(project, "npx", "scaffold", "ps", "--json");
  const processes = JSON.parse((await ps()).stdout) as { pid: number }[];
  expect(processes.length).toBeGreaterThanOrEqual(5);
  await system?.stop();
  // npm does not wait for what it started.
  await expect.poll(() => processes.filter(({ pid }) => lives(pid)), { timeout: 60_000 }).toEqual([]);
  expect(JSON.parse((await ps()).stdout)).toEqual([]);
});

test("while it is watched, a change of the contract reaches the running system by itself", async () => {
  system = await npmStart(project, String(await freePort()), "--", "--watch");
  address = system.address;
  const protoPath = join(project, "proto/corner_shop/catalog/v1/catalog.proto");
  const handlersPath = join(project, "services/catalog/catalog.ts");
  const edit = (path: string, from: string | RegExp, to: string) => {
    const before = readFileSync(path, "utf8");
    expect(before).toMatch(from);
    writeFileSync(path, before.replace(from, to));
  };
  const answer = async (path: string) => {
    const response = await fetch(`${address}/v1/catalog/${path}`).catch(() => undefined);
    return response?.ok ? ((await response.json()) as unknown) : response?.status;
  };
  const patience = { timeout: 120_000, interval: 100 };

  // A field: table, code and answers have it.
  edit(protoPath, /( {2}repeated string tags = \d+;\n)/, "$1  // Where it stands.\n  string shelf = 20;\n");
  const shelved = expect.objectContaining({ shelf: "" });
  await expect.poll(() => answer("products"), patience).toMatchObject({ products: [shelved] });

  // A method that nobody has written yet: it is said, and what runs goes on.
  const custom = `  // Counts the products.\n  rpc CountProducts(CountProductsRequest) returns (CountProductsResponse) {\n    option (google.api.http) = {get: "/v1/catalog/count"};\n  }\n}\n`;
  const messages =
    "\nmessage CountProductsRequest {}\n\nmessage CountProductsResponse {\n  // How many.\n  int32 count = 1;\n}\n";
  edit(protoPath, /\n\}\n/, `\n\n${custom}`);
  edit(protoPath, /$/, messages);
  await expect.poll(() => system?.said.join("\n"), patience).toContain("not written yet: countProducts");
  expect(await answer("products")).toMatchObject({ products: [shelved] });
  edit(
    handlersPath,
    "handlers: () => ({})",
    "handlers: (service) => ({\n    async countProducts() {\n      return { count: (await service.products.list()).items.length };\n    },\n  })",
  );
  await expect.poll(() => answer("count"), patience).toEqual({ count: 1 });
  await system?.stop();
  await expect
    .poll(() => run(project, "npx", "scaffold", "ps", "--json").then(({ stdout }) => stdout), patience)
    .toBe("[]\n");
});

test("init again changes nothing, and says what it kept", async () => {
  const before = readFileSync(join(project, "package.json"), "utf8");
  const { stdout } = await run(project, "npx", "scaffold", "init", "--no-install");
  expect(stdout.split("\n").filter((line) => line !== "" && !line.startsWith("keep "))).toEqual([]);
  expect(readFileSync(join(project, "package.json"), "utf8")).toBe(before);
});

/** What a production image must not carry. */
const foreign =
  /^@bufbuild\/(buf|protoc|protoplugin)|handlebars|yargs|typescript|esbuild|postgres$|pglite|^tsx$|^protoscaffold$/;

interface Tree {
  readonly version?: string;
  readonly dependencies?: Readonly<Record<string, Tree>>;
}

/** npm names optional peers too that are not there: those have no version. */
function names({ dependencies = {} }: Tree): string[] {
  const installed = Object.entries(dependencies).filter(([, { version }]) => version !== undefined);
  return installed.flatMap(([name, tree]) => [name, ...names(tree)]);
}

function lives(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
