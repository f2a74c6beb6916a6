import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { chmod } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { EventMetrics } from "@protoscaffold/runtime/events/metrics";
import { openPostgres as openBroker } from "@protoscaffold/runtime/events/postgres";
import { Relay } from "@protoscaffold/runtime/events/relay";
import { createLogger } from "@protoscaffold/runtime/observe/log";
import { silentMeter } from "@protoscaffold/runtime/observe/telemetry";
import { runtimeTables } from "@protoscaffold/runtime/service/migrations";
import { afterAll, beforeAll, beforeEach, expect, onTestFinished, test } from "vitest";
import { type Postgres, removePostgres, startPostgres } from "../dev/postgres.js";
import { generate } from "../generate.js";
import { readSettings } from "../project/settings.js";
import { bin, scaffold } from "../testing/cli.js";
import { contractProject, notesPath } from "../testing/contract-project.js";
import { execute } from "../testing/tables.js";

const proto = `syntax = "proto3";

package desk.notes.v1;

import "google/api/field_behavior.proto";
import "scaffold/v1/options.proto";

// Keeps notes.
service NoteService {
  option (scaffold.v1.service) = {entities: "Note"};

  // Pins a note to the wall.
  rpc PinNote(PinNoteRequest) returns (PinNoteResponse) {
    option (scaffold.v1.method) = {
      publishes: "NotePinned"
      publishes: "WallFilled"
    };
  }
}

// A note.
message Note {
  option (scaffold.v1.entity) = {table: "notes"};

  // Its id.
  string id = 1 [(google.api.field_behavior) = IDENTIFIER];
}

message PinNoteRequest {
  // Its id.
  string id = 1;
}

message PinNoteResponse {}

// A note was pinned.
message NotePinned {
  option (scaffold.v1.event) = {key: "note_id"};

  // Which.
  string note_id = 1;
}

// There is no room left.
message WallFilled {
  option (scaffold.v1.event) = {};
}
`;

const auditProto = `syntax = "proto3";

package desk.audit.v1;

import "scaffold/v1/options.proto";

// Remembers what was done.
service AuditService {
  option (scaffold.v1.service) = {
    consumes: {event: "desk.notes.v1.NotePinned"}
  };

  // Says that all is well.
  rpc Check(CheckRequest) returns (CheckResponse);
}

message CheckRequest {}

message CheckResponse {}
`;

const topic = "desk.notes.note-pinned";
/** A whole system's databases, as dev runs them. */
let folder: string;
let server: Postgres;
let env: Record<string, string>;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "scaffold-events-"));
  await chmod(folder, 0o711);
  server = await startPostgres({ directory: join(folder, "postgres"), fsync: false });
  for (const name of ["notes", "audit", "broker"]) await server.createOwned(name);
  const { pid, started, port } = server;
  writeFileSync(join(folder, "run.json"), JSON.stringify({ postgres: { process: { pid, started }, port } }));
  env = { SCAFFOLD_STATE: folder };
});
afterAll(async () => {
  await server.stop();
  await removePostgres(join(folder, "postgres"));
  rmSync(folder, { recursive: true, force: true });
});
beforeEach(async () => {
  for (const name of ["notes", "audit", "broker"]) {
    await execute(server.ownerUrl(name), `DROP SCHEMA public CASCADE; CREATE SCHEMA public`);
    await execute(server.ownerUrl(name), runtimeTables);
  }
});

function desk(notes = proto) {
  const { root, write } = contractProject({ [notesPath]: notes, "proto/desk/audit/v1/audit.proto": auditProto });
  const run = (...args: string[]) => scaffold(root, ["events", ...args], { env });
  const json = async (...args: string[]) => JSON.parse((await run(...args, "--json")).stdout);
  return { root, run, json, write };
}

/** The message as bytes: one field, its first, a text of less than 128 bytes. */
const bytes = (noteId: string) =>
  `'\\x0a${noteId.length.toString(16).padStart(2, "0")}${Buffer.from(noteId).toString("hex")}'`;
const attributes = (id: string, type = "desk.notes.v1.NotePinned", time = "2026-01-01T00:00:00.000Z") =>
  `'${JSON.stringify({ specversion: "1.0", id, source: "desk.notes.v1.NoteService", type, time })}'`;

/** Publishes pins, a minute apart, as the relay leaves them: with positions, and numbers within the topic, from 1 on. */
async function publish(...notes: string[]): Promise<void> {
  for (const [n, note] of notes.entries()) {
    await execute(
      server.ownerUrl("notes"),
      `INSERT INTO "scaffold_outbox" ("topic", "key", "attributes", "payload", "created_at", "position", "number")
       SELECT '${topic}', '${note}', ${attributes(`id-${note}`)}, ${bytes(note)}, '2026-01-01T00:0${n}:00Z', "last" + 1, "last" + 1
       FROM "scaffold_relay"; UPDATE "scaffold_relay" SET "last" = "last" + 1, "sent" = "last" + 1`,
    );
  }
}

/** Leaves what the last tries of a group left: dead letters, that keep their keys waiting if they are parked. */
async function bury(note: string, { parked = false, payload = bytes(note) } = {}): Promise<string> {
  const { rows } = await execute(
    server.ownerUrl("audit"),
    `WITH "waiting" AS (
       INSERT INTO "scaffold_waiting" ("group", "topic", "line", "key", "attributes", "payload", "attempts", "due")
       VALUES ('audit', '${topic}', '${note}', '${note}', ${attributes(`id-${note}`)}, ${payload}, 5, 'infinity') RETURNING *)
     INSERT INTO "scaffold_dead_letters" ("seq", "group", "topic", "line", "key", "attributes", "payload", "attempts", "reason", "parked")
     SELECT "seq", "group", "topic", "line", "key", "attributes", "payload", "attempts", 'Error: no wall', ${parked} FROM "waiting"
     RETURNING "seq"`,
  );
  const [{ seq }] = rows;
  if (!parked) await execute(server.ownerUrl("audit"), `DELETE FROM "scaffold_waiting" WHERE "seq" = ${seq}`);
  return seq;
}

test("an event is shown in the words of its version", async () => {
  const before = proto.replace("string note_id = 1;", "string note_id = 1;\n  // How high.\n  int32 row = 2;");
  const { root, run, write } = desk(before);
  await generate(await readSettings(root), "write");
  write(notesPath, proto);
  await generate(await readSettings(root), "write");
  await publish("n1", "n2");
  const says = (version: string) => `'{"dataschema": "proto:desk.notes.v1.NotePinned/${version}"}'`;
  await execute(
    server.ownerUrl("notes"),
    `UPDATE "scaffold_outbox" SET "payload" = "payload" || '\\x1007', "attributes" = "attributes" || ${says("1.0")} WHERE "key" = 'n1';
     UPDATE "scaffold_outbox" SET "attributes" = "attributes" || ${says("1.1")} WHERE "key" = 'n2'`,
  );
  const { stdout } = await run("tail", "--from", "beginning", "--no-follow");
  expect(stdout).toMatch(/ \{"noteId":"n1","row":7\}\n.* \{"noteId":"n2"\}\n$/);
});

test("tail prints what was published, for people and for programs", async () => {
  const { run } = desk();
  await publish("n1", "n2", "n3");
  await execute(server.ownerUrl("notes"), `UPDATE "scaffold_outbox" SET "payload" = '\\xff' WHERE "key" = 'n2'`);
  const all = await run("tail", "--from", "beginning", "--no-follow");
  expect(all).toMatchObject({ code: 0, stderr: "" });
  expect(all.stdout.split("\n")).toEqual([
    `2026-01-01T00:00:00.000Z ${topic} 1 n1 id-n1 {"noteId":"n1"}`,
    expect.stringMatching(/^2026-01-01T00:01:00.000Z \S+ 2 n2 id-n2 undecodable: \w/),
    `2026-01-01T00:02:00.000Z ${topic} 3 n3 id-n3 {"noteId":"n3"}`,
    "",
  ]);
  const one = await run("tail", topic, "--from", "2026-01-01T00:00:30Z", "--limit", "1", "--json");
  expect(JSON.parse(one.stdout)).toMatchObject({ service: "notes", position: "2", payload: "/w==" });
  const last = await run("tail", "--from", "3", "--limit", "1", "--json");
  expect(JSON.parse(last.stdout)).toEqual({
    time: "2026-01-01T00:02:00.000Z",
    service: "notes",
    topic,
    position: "3",
    key: "n3",
    attributes: expect.objectContaining({ id: "id-n3", type: "desk.notes.v1.NotePinned" }),
    event: { noteId: "n3" },
  });
  expect(await run("tail", "--no-follow")).toEqual({ code: 0, stdout: "", stderr: "" });
});

test("tail follows what is new until Ctrl-C", async () => {
  const { root } = desk();
  await publish("old");
  const child = spawn(process.execPath, [bin, "events", "tail", "--json"], {
    cwd: root,
    env: { ...process.env, ...env },
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  const ended = new Promise((resolve) => child.on("close", (code, signal) => resolve(code ?? signal)));
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  const first = lines.next();
  // It is not known when it looks for the first time, so it gets something new until it has.
  let isSeen = false;
  const publishing = (async () => {
    for (let n = 0; !isSeen; n++) await publish(`new-${n}`);
  })();
  const { event, position } = JSON.parse((await first).value);
  isSeen = true;
  await publishing;
  expect(event.noteId).toBe(`new-${position - 2}`);
  child.kill("SIGINT");
  expect(await ended).toBe(0);
});

test("lag says how far each group is, and what each publisher has still to pass on", async () => {
  const { run, json } = desk();
  await publish("n1", "n2");
  await execute(server.ownerUrl("notes"), `UPDATE "scaffold_relay" SET "sent" = 1`);
  await bury("n3", { parked: true });
  const broker = openBroker(server.ownerUrl("broker"), { service: "test" });
  onTestFinished(() => broker.close());
  await broker.declare([{ name: "another", partitions: 1, retentionMs: 1e6, groups: [] }]);
  const unknown = await run("lag");
  expect(unknown).toMatchObject({ code: 0, stderr: expect.stringContaining("has none of these topics. BROKER_URL") });
  expect(unknown.stdout).toMatch(/note-pinned +\?/);
  await broker.declare([{ name: topic, partitions: 2, retentionMs: 1e6, groups: ["audit"] }]);
  await broker.publish([{ topic, key: "n1", attributes: { id: "1" }, payload: new Uint8Array() }]);
  const known = await run("lag");
  expect(known).toMatchObject({ code: 0, stderr: "" });
  expect(known.stdout).toMatch(
    /^group +topic +lag +waiting +dead letters +missing +oldest waits\naudit +desk\.notes\.note-pinned +1 +1 +1 +0 +\d+\w+\n\npublisher +depth +oldest waits\nnotes +1 +\d+\w+\n$/,
  );
  expect(await json("lag", "--group", "audit")).toEqual({
    subscriptions: [
      { group: "audit", topic, lag: 1, waiting: 1, deadLetters: 1, missing: 0, oldest: "2026-01-01T00:00:00.000Z" },
    ],
    outboxes: [],
  });
  const away = { ...env, BROKER_URL: "postgres://127.0.0.1:1/broker" };
  const without = await scaffold(desk().root, ["events", "lag", "--json"], { env: away });
  expect(without.stderr).toMatch(/^lag is not known: the broker at 127\.0\.0\.1:1 says: /);
  expect(JSON.parse(without.stdout).subscriptions).toMatchObject([{ lag: null, waiting: 1 }]);
});

test("replay says what it would be, asks the relay for it, and follows it to its end", async () => {
  const { run, json } = desk();
  await publish("n1", "n2", "n3", "n4");
  const args = ["replay", "--topic", topic, "--group", "audit"];
  expect(await run(...args, "--from", "2", "--to", "2026-01-01T00:02:00Z", "--dry-run")).toEqual({
    code: 0,
    stdout: `audit would get 2 events of ${topic}, positions 2 to 3, published 2026-01-01T00:01:00.000Z to 2026-01-01T00:02:00.000Z\n`,
    stderr: "",
  });
  expect(await json(...args, "--dry-run")).toMatchObject({ group: "audit", first: "1", last: "4", events: 4 });
  const nothing = await run(...args, "--from", "5");
  expect(nothing).toMatchObject({ code: 1, stdout: "" });
  expect(nothing.stderr).toContain(`notes keeps 4 events of ${topic}, positions 1 to 4, published 2026-01-01T00:00:00`);
  const ordered = async () => (await execute(server.ownerUrl("notes"), `SELECT FROM "scaffold_replays"`)).rowCount;
  expect(await ordered()).toBe(0);

  // Nobody sends anything yet.
  const early = await run(...args, "--from", "4", "--no-wait");
  expect(early).toMatchObject({ code: 0, stdout: "" });
  expect(await ordered()).toBe(1);
  const waiting = run(...args, "--from", "2", "--to", "3");
  await expect.poll(ordered, { timeout: 60_000 }).toBe(2);
  const broker = openBroker(server.ownerUrl("broker"), { service: "test" });
  const relay = new Relay({
    url: async () => server.ownerUrl("notes"),
    service: "notes",
    broker,
    topics: [{ name: topic, partitions: 1, retentionMs: 1e12, groups: ["audit"] }],
    log: createLogger({ name: "notes", level: "silent" }),
    metrics: new EventMetrics(silentMeter),
  });
  onTestFinished(async () => {
    await relay.close();
    await broker.close();
  });
  expect(await waiting).toMatchObject({ code: 0, stdout: "replayed 2 events\n" });
  const { rows } = await execute(
    server.ownerUrl("broker"),
    `SELECT "key", "attributes"->>'replaygroup' AS "group" FROM "scaffold_log" ORDER BY "position"`,
  );
  expect(rows).toEqual(["n4", "n2", "n3"].map((key) => ({ key, group: "audit" })));
});

test("replay --missing is about events that never reached the group", async () => {
  const { root, run, json } = desk();
  await publish("n1", "n2", "n3", "n4");
  const args = ["replay", "--missing", "--topic", topic, "--group", "audit"];
  const none = await run(...args);
  expect(none).toMatchObject({
    code: 1,
    stdout: "",
    stderr: expect.stringContaining(`audit misses no event of ${topic}`),
  });
  await execute(
    server.ownerUrl("audit"),
    `INSERT INTO "scaffold_missing" ("group", "source", "topic", "numbers") VALUES
       ('audit', 'desk.notes.v1.NoteService', '${topic}', '{[2,3)}'), ('audit', 'desk.notes.v1.NoteService', '${topic}', '{[4,6)}'),
       ('audit', 'elsewhere', '${topic}', '{[1,2)}'), ('another', 'desk.notes.v1.NoteService', '${topic}', '{[3,4)}')`,
  );
  expect((await json("lag", "--group", "audit")).subscriptions).toMatchObject([{ missing: 4, waiting: 0 }]);
  expect(await run(...args, "--dry-run")).toEqual({
    code: 0,
    stdout: `audit would get 2 events of ${topic}, positions 2 to 4, published 2026-01-01T00:01:00.000Z to 2026-01-01T00:03:00.000Z\n`,
    stderr: "audit misses 3 events, of which notes still keeps 2 there that the broker takes\n",
  });
  expect(await json(...args, "--from", "3", "--dry-run")).toMatchObject({ first: "4", last: "4", events: 1 });
  const replays = async () =>
    (
      await execute(
        server.ownerUrl("notes"),
        `SELECT "after"::integer, "until"::integer, "numbers"::text FROM "scaffold_replays" ORDER BY "id"`,
      )
    ).rows;
  expect(await run(...args, "--no-wait")).toMatchObject({ code: 0, stdout: "" });
  // By the publisher's database alone it is all, and the group's own to tell.
  const alone = await scaffold(root, ["events", ...args, "--no-wait", "--url", server.ownerUrl("notes")]);
  expect(alone).toMatchObject({ code: 0, stdout: "" });
  expect(await replays()).toEqual([
    { after: 1, until: 4, numbers: "{[2,3),[4,6)}" },
    { after: 0, until: 4, numbers: "{(,)}" },
  ]);
});

test("dead letters are listed, with what is in them and why they died", async () => {
  const { run, json } = desk();
  expect(await run("dlq", "list")).toEqual({ code: 0, stdout: "", stderr: "There are no dead letters\n" });
  const seq = await bury("n1");
  const parked = await bury("n2", { parked: true, payload: "'\\xff'" });
  const listed = await run("dlq", "list");
  expect(listed.stdout).toMatch(
    new RegExp(`^audit/${seq} +\\S+Z +${topic} +n1 +5 +goes on +Error: no wall +{"noteId":"n1"}$`, "m"),
  );
  expect(listed.stdout).toMatch(new RegExp(`^audit/${parked} .* waits +Error: no wall +undecodable: `, "m"));
  expect(await json("dlq", "list", "--group", "audit", "--limit", "1")).toEqual([
    {
      id: `audit/${seq}`,
      group: "audit",
      topic,
      key: "n1",
      attempts: 5,
      reason: "Error: no wall",
      parked: false,
      diedAt: expect.any(String),
      attributes: expect.objectContaining({ id: "id-n1" }),
      event: { noteId: "n1" },
    },
  ]);
  expect((await run("dlq", "list", "--limit", "1")).stderr).toMatch(/^1 more: /);
  expect(await json("dlq", "list", "--from", "2999-01-01T00:00:00Z")).toEqual([]);
});

test("dead letters are redriven and discarded by name, or all of them", async () => {
  const { run, json } = desk();
  const names = [await bury("n1"), await bury("n2", { parked: true }), await bury("n3"), await bury("n4")].map(
    (seq) => `audit/${seq}`,
  );
  const left = async () => (await json("dlq", "list")).map(({ id }: { id: string }) => id);
  const due = async () =>
    (
      await execute(
        server.ownerUrl("audit"),
        `SELECT "key" FROM "scaffold_waiting" WHERE "due" <= now() ORDER BY "seq"`,
      )
    ).rows.map(({ key }) => key);
  const all = await run("dlq", "redrive", "--all", "--topic", topic, "--dry-run");
  expect(all.stdout).toBe(names.map((name) => `would be redriven ${name}\n`).join(""));
  expect(await left()).toEqual(names);

  expect(await run("dlq", "redrive", names[0]!, names[1]!)).toEqual({
    code: 0,
    stdout: `redriven ${names[0]}\nredriven ${names[1]}\n`,
    stderr: "",
  });
  expect(await due()).toEqual(["n1", "n2"]);
  const again = await run("dlq", "redrive", names[0]!, "--json");
  expect(again).toMatchObject({ code: 1, stderr: expect.stringContaining(`not among the dead letters: ${names[0]}.`) });
  expect(JSON.parse(again.stdout)).toEqual({ redriven: [], dryRun: false });

  expect((await run("dlq", "discard", names[2]!)).stdout).toBe(`discarded ${names[2]}\n`);
  const unasked = await run("dlq", "discard", "--all");
  expect(unasked).toMatchObject({ code: 1, stdout: "" });
  expect(unasked.stderr).toContain("nothing was discarded. --yes discards 1 dead letter for good");
  expect(await left()).toEqual([names[3]]);
  expect((await run("dlq", "discard", "--all", "--yes")).stdout).toBe(`discarded ${names[3]}\n`);
  expect(await run("dlq", "redrive", "--all")).toEqual({ code: 0, stdout: "nothing redriven\n", stderr: "" });
  expect(await due()).toEqual(["n1", "n2"]);
});

test("one database is enough, wherever it is", async () => {
  const { root } = desk();
  await publish("n1");
  const seq = await bury("n1");
  const run = (...args: string[]) => scaffold(root, ["events", ...args]);
  const tail = await run("tail", "--url", server.ownerUrl("notes"), "--from", "beginning", "--no-follow");
  expect(tail.stdout).toContain(`{"noteId":"n1"}`);
  expect((await run("dlq", "redrive", `audit/${seq}`, "--url", server.ownerUrl("audit"))).stdout).toBe(
    `redriven audit/${seq}\n`,
  );
});

test.each([
  [[], "Name what to do: tail, lag, replay or dlq"],
  [["dlq"], "Name what to do: list, redrive or discard"],
  [["tail"], "No database runs in this project. Start the system with scaffold dev, or give --url"],
  [["tail", "desk.notes.note-pined"], `there is no topic desk.notes.note-pined. Did you mean ${topic}?`],
  [["tail", "--service", "note"], "there is no publisher note. Did you mean notes?"],
  [["tail", "--from", "yesterday"], "--from yesterday is not a place among events: write beginning, a time like"],
  [["tail", "--limit", "0"], "--limit is a number of events, 1 or more"],
  [["tail", "--url", "notes"], "--url is a database's address"],
  [["tail", "--url", "postgres://127.0.0.1:1/x"], "no database answers at 127.0.0.1:1"],
  [["lag", "--group", "adit"], "there is no group adit. Did you mean audit?"],
  [["lag", "--url", "postgres://127.0.0.1/x"], "say by --group whose that is: audit, notes"],
  [["replay", "--group", "audit"], "Missing required argument: topic"],
  [["replay", "--topic", topic, "--group", "notes"], "there is no group notes. There are: audit"],
  [
    ["replay", "--topic", "desk.notes.wall-filled", "--group", "audit"],
    "audit does not consume desk.notes.wall-filled",
  ],
  [["dlq", "redrive"], "Name the dead letters to redrive as scaffold events dlq list does, orders/17, or say --all"],
  [["dlq", "redrive", "audit/1", "--all"], "Name dead letters, or say --all: not both"],
  [["dlq", "redrive", "seventeen"], `"seventeen" names no dead letter`],
  [["dlq", "discard", "notes/1", "--group", "audit"], "notes/1 is not one of audit's"],
  [["dlq", "list", "--from", "5"], "--from 5 is not a time: write it like 1970-01-01T00:00:00.000Z"],
])("refuses %j", async (args, message) => {
  const { root } = desk();
  const result = await scaffold(root, ["events", ...args]);
  expect(result).toMatchObject({ code: 1, stdout: "" });
  expect(result.stderr).toContain(message);
});
