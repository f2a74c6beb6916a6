import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { expect, onTestFinished, test } from "vitest";
import {
  type MoveParcelRequest,
  MoveParcelRequestSchema,
  ParcelService,
} from "../../generator/testdata/parcels/expected/generated/contract_pb.js";
import { Propagation } from "../call/propagation.js";
import { codecOf } from "../codec/known.js";
import { unavailable } from "../data/postgres/errors.js";
import { createLogger } from "../observe/log.js";
import { createTelemetry } from "../observe/prometheus.js";
import { Deferral } from "./deferral.js";
import { Journal } from "./journal.js";
import { JournalMetrics } from "./metrics.js";

const quick = { initialBackoffMs: 1, maxBackoffMs: 1, backoffMultiplier: 1 };
const outage = () => unavailable("the database does not answer");
const conflict = () => new ConnectError("try again", Code.Aborted);

/** Runs a deferred call whose attempts fail with these errors, and then succeed. Returns the number of attempts, and of dead letters. */
async function attempts(...errors: Error[]): Promise<{ made: number; deadLetters: number }> {
  const directory = await mkdtemp(join(tmpdir(), "scaffold-attempts-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  const journal = await Journal.open({ directory, maxBytes: 2 ** 20 });
  const request = create(MoveParcelRequestSchema, { id: "1", place: "there", requestId: "a" });
  await journal.add({
    method: "MoveParcel",
    key: "a",
    fingerprint: "f",
    request: Buffer.from(codecOf(MoveParcelRequestSchema).toBytes(request)).toString("base64"),
    headers: {},
    at: new Date().toISOString(),
  });
  const log = createLogger({ name: "test", level: "silent" });
  const telemetry = createTelemetry("test");
  const metrics = new JournalMetrics(telemetry);
  const deferral = new Deferral({ journal, log, metrics, retry: quick });
  let made = 0;
  const policy = { deferred: { field: "state", value: 1 } };
  const served = { method: ParcelService.method.moveParcel, policy, propagation: new Propagation() };
  deferral.stage(served as never)!(async ({ request }) => {
    expect((request as MoveParcelRequest).place).toBe("there");
    const error = errors[made++];
    if (error !== undefined) throw error;
    return {};
  });
  deferral.start();
  await expect.poll(() => journal.size, { timeout: 30_000, interval: 5 }).toBe(0);
  await deferral.close();
  const dead = /^scaffold_deferred_writes_dead_total\{.*\} (.*)$/m.exec(await telemetry.text())?.[1];
  return { made, deadLetters: Number(dead ?? 0) };
}

test("an outage of any length does not count as failures of a deferred call", async () => {
  const errors = [...Array.from({ length: 30 }, outage), ...Array.from({ length: 9 }, conflict)];
  expect(await attempts(...errors)).toEqual({ made: 40, deadLetters: 0 });
});

test("a deferred call that fails ten times while the database answers is given up, outages between them or not", async () => {
  const errors = Array.from({ length: 10 }, () => [outage(), conflict(), outage()]).flat();
  expect(await attempts(...errors)).toEqual({ made: 29, deadLetters: 1 });
});
