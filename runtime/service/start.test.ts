import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { createNotificationServiceClient } from "@shop/generated/shop/notifications/v1/notifications_client.js";
import { expect, onTestFinished, test } from "vitest";
import { notifications } from "../../examples/shop/notifications/notifications.js";
import { testDatabase } from "../../generator/testing/database.js";
import { execute } from "../../generator/testing/tables.js";
import { createLogger } from "../observe/log.js";
import { misruled } from "../testing/misruled.js";
import { builtProgram } from "../testing/program.js";
import type { ServiceDefinition } from "./define.js";
import { inMemory } from "./in-memory.js";
import { openPort } from "./port.js";
import { type Front, type StartOptions, startService } from "./start.js";

const migrations = new URL("../../examples/shop/notifications/migrations/", import.meta.url);
const log = createLogger({ name: "test", level: "silent" });

async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "start-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  return folder;
}

const startInMemory = async (databaseUrl: string, directory: string) => {
  await inMemory(misruled, { databaseUrl, migrations, journal: { directory } });
};

/** Rejects with what the process says at its end. */
const startProcess = async (DATABASE_URL: string, JOURNAL_DIR: string) => {
  const program = await builtProgram(new URL("../testing/misruled-process.ts", import.meta.url));
  const environment = { PORT: "0", MIGRATE: "on", MIGRATIONS: migrations.href, DATABASE_URL, JOURNAL_DIR };
  await promisify(execFile)(process.execPath, [program], { env: { ...process.env, ...environment } }).catch(
    ({ code, stdout }) => {
      throw new Error(`${code}: ${JSON.parse(stdout).msg}`);
    },
  );
};

test.each([
  ["inMemory", startInMemory],
  ["serve", startProcess],
])("%s refuses rules that do not compile before it migrates the database", async (_name, start) => {
  const url = await testDatabase();
  await expect(start(url, await temporaryFolder())).rejects.toThrow(
    /these messages have rules that cannot be checked:\s+acme\.parcels\.v1\.Misruled: /,
  );
  const { rows } = await execute(url, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'");
  expect(rows).toEqual([]);
});

/** Parts of notifications over a new database; `open` opens the front. */
async function parts<F extends Front>(open: StartOptions<F>["open"], directory: string): Promise<StartOptions<F>> {
  const url = await testDatabase();
  return {
    log,
    database: { url, replicas: [], migrations: { directory: migrations, apply: true }, cache: undefined, watch: true },
    journal: { directory, maxBytes: 2 ** 20 },
    broker: url,
    sagas: { leaseMs: undefined, retentionMs: undefined },
    peers: () => ({}),
    open,
    drainTimeoutMs: 1000,
  };
}

const port = {
  host: "127.0.0.1",
  port: 0,
  hosts: undefined,
  tls: undefined,
  transport: "native",
  compressMinBytes: 0,
  log,
} as const;

/** What is connected to a database. */
const connections = async (url: string) => {
  const others = "datname = current_database() AND pid <> pg_backend_pid()";
  return (await execute(url, `SELECT application_name FROM pg_stat_activity WHERE ${others}`)).rows;
};

test("handlers are there before the front, the front before events; the database closes after the last call", async () => {
  const seen: string[] = [];
  const recorded: ServiceDefinition = {
    ...notifications,
    implement(...given) {
      seen.push("handlers");
      return notifications.implement(...given);
    },
    consume(service) {
      seen.push("consumers");
      return notifications.consume!(service);
    },
  };
  const options = await parts(
    async (assembled) => {
      const opened = await openPort(assembled, [recorded], port);
      const baseUrl = `http://127.0.0.1:${opened.port}`;
      seen.push(`front, readiness ${(await fetch(`${baseUrl}/readyz`)).status}`);
      return {
        ...opened,
        async drain(timeoutMs: number) {
          const client = createNotificationServiceClient({ baseUrl });
          const { notifications } = await client.listNotifications({});
          seen.push(`readiness ${(await fetch(`${baseUrl}/readyz`)).status}, ${notifications.length} notifications`);
          await opened.drain(timeoutMs);
        },
      };
    },
    await temporaryFolder(),
  );
  const service = await startService(recorded, options);
  seen.push("started");
  await service.stop();
  expect(seen).toEqual(["handlers", "front, readiness 503", "consumers", "started", "readiness 503, 0 notifications"]);
  await expect.poll(() => connections(options.database!.url)).toEqual([]);
});

test("a start that fails closes what it has opened", async () => {
  const directory = await temporaryFolder();
  const incomplete: ServiceDefinition = { ...notifications, consume: () => ({}) };
  let baseUrl = "";
  const options = await parts(async (assembled) => {
    const opened = await openPort(assembled, [incomplete], port);
    baseUrl = `http://127.0.0.1:${opened.port}`;
    return opened;
  }, directory);
  await expect(startService(incomplete, options)).rejects.toThrow("notifications has no handler userRegistered");
  await expect(fetch(`${baseUrl}/healthz`)).rejects.toThrow("fetch failed");
  await expect.poll(() => connections(options.database!.url)).toEqual([]);
  // The journal's lock is free.
  const service = await startService(notifications, options);
  await service.stop();
});
