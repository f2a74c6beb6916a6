import { spawnSync } from "node:child_process";
import { chmod, mkdtemp, open, rm, statfs } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Code } from "@connectrpc/connect";
import { beforeAll, expect, onTestFinished, test } from "vitest";
import { startPostgres } from "../../generator/dev/postgres.js";
import { createParcelServiceClient } from "../../generator/testdata/parcels/expected/generated/contract_client.js";
import { innocent } from "../../scripts/testing/innocent.js";
import { inMemory } from "../service/in-memory.js";
import { createParcels, parcels } from "../testing/parcels.js";
import type { JournalEntry } from "./entry.js";
import { Journal } from "./journal.js";

const place = await mkdtemp(join(tmpdir(), "scaffold-full-"));
const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", "size=256k", "tmpfs", place], { encoding: "utf8" });
const why =
  mounted.status === 0 ? "" : `: skipped, mount is not allowed (${(mounted.stderr || String(mounted.error)).trim()})`;

beforeAll(() => async () => {
  if (why === "") spawnSync("umount", [place]);
  await rm(place, { recursive: true, force: true });
});

const call = (key: string, bytes: number): Omit<JournalEntry, "id"> => {
  return { method: "PlaceOrder", key, fingerprint: "f", request: "r".repeat(bytes), headers: {}, at: "2026-01-01" };
};
const free = async () => {
  const { bavail, bsize } = await statfs(place);
  return bavail * bsize;
};
const fill = join(place, "fill");

/** Leaves a few pages of the disk. */
async function leave(bytes: number): Promise<void> {
  const file = await open(fill, "a");
  while ((await free()) > bytes) await file.write(Buffer.alloc(4096));
  await file.close();
}

test.skipIf(why !== "")(`a full disk accepts what it holds, refuses the rest, and starts again${why}`, async () => {
  const directory = join(place, "journal");
  let journal = await Journal.open({ directory, maxBytes: 2 ** 26 });
  const accepted: string[] = [];
  const add = async (key: string, bytes: number) => {
    const said = await journal.add(call(key, bytes)).then(
      () => "accepted",
      (error: NodeJS.ErrnoException) => error.code,
    );
    if (said === "accepted") accepted.push(key);
    return said;
  };
  expect(await add("first", 100)).toBe("accepted");
  for (let pages = 0; pages < 6; pages++) {
    await leave(4096 * pages);
    // More than there is, then what may fit into the page that is begun, then more again.
    expect(await add(`large-${pages}`, 30_000)).toBe("ENOSPC");
    await add(`small-${pages}`, 100);
    expect(await add(`larger-${pages}`, 60_000)).toBe("ENOSPC");
    // A start finds all that was accepted, and nothing else, on the full disk as on another.
    await journal.close();
    journal = await Journal.open({ directory, maxBytes: 2 ** 26 });
    expect([...journal.entries()].map(({ key }) => key)).toEqual(accepted);
    await rm(fill);
    expect(await add(`room-${pages}`, 5_000)).toBe("accepted");
  }
  // No room for a dead letter: the call stays.
  await leave(0);
  const [entry] = journal.entries();
  await expect(journal.deadLetter(entry!, { reason: "x".repeat(20_000) })).rejects.toThrow("ENOSPC");
  expect([...journal.entries()][0]).toEqual(entry);
  await rm(fill);
  await journal.deadLetter(entry!, { reason: "refused" });
  await journal.close();
});

test.skipIf(why !== "")(`writes that a full disk cannot keep slow no reader${why}`, async () => {
  const root = await mkdtemp(join(tmpdir(), "scaffold-full-"));
  onTestFinished(() => rm(root, { recursive: true, force: true }));
  // PostgreSQL runs as another user when this is root.
  await chmod(root, 0o711);
  const server = await startPostgres({ directory: join(root, "postgres"), fsync: false });
  await createParcels(server.url());
  const journal = { directory: join(place, "service") };
  const service = await inMemory(parcels, { databaseUrl: server.url(), journal });
  onTestFinished(() => service.close());
  const client = createParcelServiceClient({ transport: service.transport });
  await client.createParcel({ parcel: { id: "a", place: "here" }, requestId: "a" });
  await client.getParcel({ id: "a" });
  await server.stop();
  // The first reader waits for the database for a moment; those after it have the stale row at once.
  await client.getParcel({ id: "a" });
  await leave(0);

  const readers = innocent(() => client.getParcel({ id: "a" }));
  const refused: unknown[] = [];
  for (let batch = 0; batch < 40; batch++) {
    const writes = Array.from({ length: 25 }, (_, n) => {
      const id = `${batch}-${n}`;
      return client
        .createParcel({ parcel: { id, place: "x".repeat(20_000) }, requestId: id })
        .catch(({ code }) => code);
    });
    refused.push(...(await Promise.all(writes)));
  }
  const { failures, p99 } = await readers.stop();
  expect(new Set(refused)).toEqual(new Set([Code.Unavailable]));
  expect(Object.fromEntries(failures)).toEqual({});
  expect(p99).toBeLessThan(200);
});
