import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { temporaryProject } from "../testing/project.js";
import { execute } from "../testing/tables.js";
import { runningDatabases } from "./databases.js";
import { removePostgres, startPostgres } from "./postgres.js";

test("knows the databases of the system that runs in a project", async () => {
  const { root } = temporaryProject();
  expect(await runningDatabases(root)).toBeUndefined();
  await mkdir(join(root, ".scaffold"), { mode: 0o711 });
  const server = await startPostgres({ directory: join(root, ".scaffold/postgres"), fsync: false });
  try {
    await server.createOwned("orders");
    const { pid, started, port } = server;
    await writeFile(
      join(root, ".scaffold/run.json"),
      JSON.stringify({ postgres: { process: { pid, started }, port } }),
    );
    const url = await runningDatabases(root);
    expect((await execute(url!("orders"), "SELECT current_database() AS name")).rows).toEqual([{ name: "orders" }]);
  } finally {
    await server.stop();
  }
  onTestFinished(() => removePostgres(join(root, ".scaffold/postgres")));
  expect(await runningDatabases(root)).toBeUndefined();
});
