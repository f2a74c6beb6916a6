import { spawn } from "node:child_process";
import { userRegistered } from "@shop/generated/shop/users/v1/users_events.js";
import { type UserRegisteredSchema, UserService } from "@shop/generated/shop/users/v1/users_pb.js";
import pg from "pg";
import { expect, onTestFinished, test } from "vitest";
import { freePort } from "../../generator/dev/ports.js";
import { testDatabase } from "../../generator/testing/database.js";
import { execute } from "../../generator/testing/tables.js";
import type { Data } from "../data/data.js";
import { createLogger } from "../observe/log.js";
import { createTelemetry } from "../observe/prometheus.js";
import { runtimeTables } from "../service/migrations.js";
import { builtProgram } from "../testing/program.js";
import { type Broker, RecordRefused } from "./broker.js";
import { EventMetrics } from "./metrics.js";
import { measureSpan, replayProgress, requestReplay } from "./operate.js";
import { openPublishing } from "./outbox.js";
import { openPostgres } from "./postgres.js";
import { Relay } from "./relay.js";
import { HOLD } from "./testing/observed.js";

const WAIT = { timeout: 60_000, interval: 50 };
const { topic, partitions, retentionMs } = userRegistered;
const program = await builtProgram(new URL("testing/observed.ts", import.meta.url));

/** The value of the first series of a name in Prometheus' text. */
function valueIn(text: string, name: string): number | undefined {
  const line = text.split("\n").find((line) => line.startsWith(`${name}{`));
  return line === undefined ? undefined : Number(line.slice(line.lastIndexOf(" ")));
}

async function open(): Promise<{ url: string; data: Data<object, typeof UserRegisteredSchema> }> {
  const url = await testDatabase();
  await execute(url, runtimeTables);
  const { data } = openPublishing<object>(UserService.typeName, { url, service: "test", entities: {} });
  onTestFinished(() => data.close());
  return { url, data: data as unknown as Data<object, typeof UserRegisteredSchema> };
}

/** Holds something in a database, until the answer is called. */
async function hold(url: string, statement: string): Promise<() => Promise<void>> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query(`BEGIN; ${statement}`);
  let ended: Promise<void> | undefined;
  const end = () => {
    ended ??= client.end();
    return ended;
  };
  onTestFinished(end);
  return end;
}

test("a running service says at /metrics how its events fare", async () => {
  const [{ url, data }, brokerUrl, port] = await Promise.all([open(), testDatabase(), freePort()]);
  const broker = openPostgres(brokerUrl, { service: "test" });
  onTestFinished(() => broker.close());
  await broker.declare([{ name: topic, partitions, retentionMs, groups: ["observed"] }]);
  const child = spawn(process.execPath, [program], {
    env: {
      ...process.env,
      PORT: String(port),
      DATABASE_URL: url,
      BROKER_URL: brokerUrl,
      LOG_LEVEL: "fatal",
    },
    stdio: ["ignore", "inherit", "inherit"],
  });
  const ended = new Promise((resolve) => child.once("close", resolve));
  onTestFinished(async () => {
    child.kill("SIGKILL");
    await ended;
  });
  const value = async (name: string) => {
    const text = await fetch(`http://127.0.0.1:${port}/metrics`).then((response) => response.text());
    return valueIn(text, name);
  };
  const says = (name: string) => expect.poll(() => value(name).catch(() => undefined), WAIT);
  const publish = (userId: string, email: string) =>
    data.transaction((tx) => tx.publish(userRegistered, { userId, email }));

  await publish("a", "well");
  await publish("b", "once");
  await publish("c", "never");
  await publish("c", "well");
  await says("scaffold_events_published_total").toBe(4);
  // End-to-end latency, of what was handled.
  await says("scaffold_events_latency_seconds_count").toBe(2);
  await says("scaffold_events_failed_total").toBe(1);
  await says("scaffold_events_dead_total").toBe(1);
  await says("scaffold_events_dead_letters").toBe(1);
  // The dead letter, and what waits behind it.
  await says("scaffold_events_waiting").toBe(2);
  await says("scaffold_events_lag").toBe(0);
  await says("scaffold_outbox_depth").toBe(0);

  // The broker brings one again.
  const { rows } = await execute(
    brokerUrl,
    `SELECT "key", "attributes", "payload" FROM "scaffold_log" WHERE "key" = 'a'`,
  );
  await broker.publish([{ topic, ...rows[0] }]);
  await says("scaffold_events_repeated_total").toBe(1);

  // A group that is at work is behind.
  const letGo = await hold(url, `SELECT pg_advisory_xact_lock(${HOLD})`);
  await publish("d", "hold");
  await says("scaffold_events_lag").toBe(1);
  // A broker that takes nothing, and does not say how far the group is, leaves the depth to be seen.
  const recover = await hold(brokerUrl, `LOCK TABLE "scaffold_partitions"`);
  await publish("e", "well");
  await says("scaffold_outbox_depth").toBe(1);
  await Promise.all([letGo(), recover()]);
  await says("scaffold_outbox_depth").toBe(0);
  await says("scaffold_events_lag").toBe(0);
  await says("scaffold_events_published_total").toBe(6);
  await says("scaffold_events_latency_seconds_count").toBe(4);
});

test("an event that its broker will never take is counted, marked, and left out of replays", async () => {
  const [{ url, data }, brokerUrl] = await Promise.all([open(), testDatabase()]);
  const real = openPostgres(brokerUrl, { service: "test" });
  // PostgreSQL takes all that may be published, so what another refuses is refused here.
  const broker: Broker = {
    ...real,
    async publish(records) {
      const index = records.findIndex(({ key }) => key === "refused");
      if (index !== -1) throw new RecordRefused(index, "larger than max.message.bytes");
      await real.publish(records);
    },
  };
  for (const userId of ["before", "refused", "after"]) {
    await data.transaction((tx) => tx.publish(userRegistered, { userId }));
  }
  const telemetry = createTelemetry("lossy");
  const relay = new Relay({
    url: () => data.primary(),
    service: "lossy",
    broker,
    topics: [{ name: topic, partitions: 1, retentionMs, groups: [] }],
    log: createLogger({ name: "lossy", level: "silent" }),
    metrics: new EventMetrics(telemetry),
  });
  onTestFinished(async () => {
    await relay.close();
    await broker.close();
  });
  const keys = async () =>
    (await execute(brokerUrl, `SELECT "key" FROM "scaffold_log" ORDER BY "position"`)).rows.map(({ key }) => key);
  await expect.poll(async () => valueIn(await telemetry.text(), "scaffold_events_published_total"), WAIT).toBe(2);
  expect(valueIn(await telemetry.text(), "scaffold_events_lost_total")).toBe(1);
  expect(await keys()).toEqual(["before", "after"]);
  const refused = `SELECT "key" FROM "scaffold_outbox" WHERE "attributes"->>'refused' = 'larger than max.message.bytes'`;
  expect((await execute(url, refused)).rows).toEqual([{ key: "refused" }]);

  const span = (await measureSpan(url, { topic }))!;
  expect(span).toMatchObject({ first: "1", last: "3", events: 2 });
  const id = await requestReplay(url, "group", span);
  await expect.poll(async () => (await replayProgress(url, id))?.isOver, WAIT).toBe(true);
  expect(await keys()).toEqual(["before", "after", "before", "after"]);
});
