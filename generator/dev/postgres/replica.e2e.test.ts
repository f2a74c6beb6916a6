import { expect, onTestFinished, test } from "vitest";
import { startReplicated } from "../../testing/replicated.js";
import { execute } from "../../testing/tables.js";

test("a replica follows, lags when told to, and takes over with all that was acknowledged", async () => {
  const servers = await startReplicated({ synchronous: true });
  onTestFinished(() => servers.remove());
  const { primary, replica } = servers;
  const count = async () => (await execute(replica.url(), `SELECT count(*)::int AS n FROM "t"`)).rows[0].n;
  await execute(primary.url(), `CREATE TABLE "t" ("n" int)`);
  await servers.caughtUp();
  await expect(execute(replica.url(), `INSERT INTO "t" VALUES (0)`)).rejects.toMatchObject({ code: "25006" });
  await servers.pause();
  await execute(primary.url(), `INSERT INTO "t" VALUES (1)`);
  expect(await count()).toBe(0);
  await servers.resume();
  await servers.caughtUp();
  expect(await count()).toBe(1);

  await execute(primary.url(), `INSERT INTO "t" SELECT generate_series(2, 100)`);
  await servers.kill();
  await servers.promote();
  expect(await count()).toBe(100);
  await execute(replica.url(), `INSERT INTO "t" VALUES (101)`);
  const timeline = `SELECT substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) AS "timeline"`;
  expect((await execute(replica.url(), timeline)).rows).toEqual([{ timeline: "00000002" }]);
  // The one that was killed knows nothing of that.
  const old = await servers.revive();
  expect((await execute(old.url(), timeline)).rows).toEqual([{ timeline: "00000001" }]);
});
