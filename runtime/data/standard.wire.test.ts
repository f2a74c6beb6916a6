import { once } from "node:events";
import { createServer } from "node:http2";
import type { AddressInfo } from "node:net";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import {
  createLibraryServiceClient,
  type LibraryServiceClient,
} from "../../generator/testdata/library/expected/generated/contract_client.js";
import { type Book, type BookSchema, Genre } from "../../generator/testdata/library/expected/generated/contract_pb.js";
import {
  bookEntity,
  reviewEntity,
  shelfEntity,
} from "../../generator/testdata/library/expected/generated/contract_repository.js";
import { libraryService } from "../../generator/testdata/library/expected/generated/contract_service.js";
import { system } from "../../generator/testdata/library/expected/generated/system.js";
import { testDatabase } from "../../generator/testing/database.js";
import { createTables, execute } from "../../generator/testing/tables.js";
import { readGatewayEnvironment } from "../gateway/environment.js";
import { startGateway } from "../gateway/start.js";
import { createLogger } from "../observe/log.js";
import { timedCall } from "../observe/timing.js";
import { BadRequestSchema } from "../options/google/rpc/error_details_pb.js";
import { assemble } from "../service/assemble.js";
import { runtimeTables } from "../service/migrations.js";
import { CacheMetrics } from "./cache/metrics.js";
import { type Data, openData } from "./data.js";

let url: string;
let data: Data;
let library: LibraryServiceClient;
let gateway: { readonly port: number };
const ends: (() => unknown)[] = [];

/** The whole way: gRPC to a port, and REST to a gateway before it. No method is written by hand. */
beforeAll(async () => {
  url = await testDatabase();
  await createTables(url, [shelfEntity.table, bookEntity.table, reviewEntity.table], true);
  await execute(url, runtimeTables);
  const definition = libraryService({ handlers: () => ({}) });
  const { books, shelfs, reviews } = definition.spec.entities;
  data = openData({ url, service: "library", entities: { books: books!, shelfs: shelfs!, reviews: reviews! } });
  const log = createLogger({ name: "library", level: "silent" });
  const routes = assemble(definition, {
    data,
    peers: {},
    log,
    metrics: new CacheMetrics(),
    draining: new AbortController().signal,
  });
  const server = createServer(connectNodeAdapter({ routes })).listen(0, "127.0.0.1");
  await once(server, "listening");
  const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  library = createLibraryServiceClient({ baseUrl });
  const env = { PORT: "0", DRAIN_TIMEOUT_MS: "100", LIBRARY_URL: baseUrl };
  const running = await startGateway(system, readGatewayEnvironment(system, env), log);
  gateway = running;
  ends.push(
    () => running.stop(),
    () => data.close(),
    () => server.close(),
  );
});
afterAll(async () => {
  for (const end of ends) await end();
});
beforeEach(async () => {
  await execute(url, `TRUNCATE "books", "shelfs", "reviews", "scaffold_requests"`);
});

async function rest(method: string, path: string, body?: unknown) {
  const answer = await fetch(`http://127.0.0.1:${gateway.port}/v1/${path}`, {
    method,
    headers: { "content-type": "application/json" },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const { code, details } = (await answer.json()) as {
    code: number;
    details?: { fieldViolations?: { field: string }[] }[];
  };
  const fields = details?.flatMap(({ fieldViolations = [] }) => fieldViolations.map(({ field }) => field));
  return { status: answer.status, code, fields };
}

/** What a call fails with: its code, and the fields that are wrong. */
async function failure(call: Promise<unknown>): Promise<{ code: Code; fields: string[]; message: string }> {
  const error = await call.then(
    () => expect.unreachable("it succeeded"),
    (reason: unknown) => ConnectError.from(reason),
  );
  const fields = error.findDetails(BadRequestSchema).flatMap((details) => details.fieldViolations);
  return { code: error.code, fields: fields.map(({ field }) => field), message: error.rawMessage };
}

const add = (book: MessageInitShape<typeof BookSchema> = {}) => library.createBook({ book: { title: "A", ...book } });

describe("a method answers with the standard code, over gRPC and REST,", () => {
  const broken: [
    name: string,
    call: () => Promise<unknown>,
    code: Code,
    fields: string[],
    rest: () => ReturnType<typeof rest>,
    status: number,
  ][] = [
    [
      "for what does not exist",
      () => library.getBook({ id: "x" }),
      Code.NotFound,
      [],
      () => rest("GET", "books/x"),
      404,
    ],
    [
      "for one of several that does not exist",
      () => library.batchGetBooks({ ids: ["1", "x"] }),
      Code.NotFound,
      [],
      () => rest("GET", "books:batchGet?ids=1&ids=x"),
      404,
    ],
    [
      "for a key that is taken",
      () => add({ id: "1" }),
      Code.AlreadyExists,
      [],
      () => rest("POST", "books", { id: "1", title: "A" }),
      409,
    ],
    [
      "for a rule that is broken",
      () => add({ title: "" }),
      Code.InvalidArgument,
      ["book.title"],
      () => rest("POST", "books", { title: "" }),
      400,
    ],
    [
      "for a text that the database cannot keep",
      () => add({ title: "a\0" }),
      Code.InvalidArgument,
      ["book.title"],
      () => rest("POST", "books", { title: "a\0" }),
      400,
    ],
    [
      "for a key that the database cannot have",
      () => library.getBook({ id: "a\0" }),
      Code.InvalidArgument,
      ["id"],
      () => rest("GET", "books/a%00"),
      400,
    ],
    [
      "for a change that the database cannot keep",
      () => library.updateBook({ book: { id: "1", title: "a\0" } }),
      Code.InvalidArgument,
      ["book.title"],
      () => rest("PATCH", "books/1", { title: "a\0" }),
      400,
    ],
    [
      "for a resource that is missing",
      () => library.createBook({}),
      Code.InvalidArgument,
      ["book"],
      () => rest("POST", "books", null),
      400,
    ],
    [
      "for a rule that an update would break",
      () => library.updateBook({ book: { id: "1", pages: -1 } }),
      Code.InvalidArgument,
      ["pages"],
      () => rest("PATCH", "books/1", { pages: -1 }),
      400,
    ],
    [
      "for a mask that names nothing",
      () => library.updateBook({ book: { id: "1" }, updateMask: { paths: ["title", "colour"] } }),
      Code.InvalidArgument,
      ["update_mask"],
      () => rest("PATCH", "books/1?update_mask=title,colour", {}),
      400,
    ],
    [
      "for an update of what does not exist",
      () => library.updateBook({ book: { id: "x", title: "B" } }),
      Code.NotFound,
      [],
      () => rest("PATCH", "books/x", { title: "B" }),
      404,
    ],
    [
      "for an etag that is old, in an update",
      () => library.updateBook({ book: { id: "1", title: "B", etag: "old" } }),
      Code.Aborted,
      [],
      () => rest("PATCH", "books/1", { title: "B", etag: "old" }),
      409,
    ],
    [
      "for an etag that is old, in a delete",
      () => library.deleteBook({ id: "1", etag: "old" }),
      Code.Aborted,
      [],
      () => rest("DELETE", "books/1?etag=old"),
      409,
    ],
    [
      "for a row that it refers to and that does not exist",
      () => add({ shelfId: "nowhere" }),
      Code.FailedPrecondition,
      ["shelf_id"],
      () => rest("POST", "books", { title: "A", shelfId: "nowhere" }),
      400,
    ],
    [
      "for an undelete of what is not deleted",
      () => library.undeleteBook({ id: "1" }),
      Code.AlreadyExists,
      [],
      () => rest("POST", "books/1:undelete", {}),
      409,
    ],
    [
      "for a page size below nothing",
      () => library.listBooks({ pageSize: -1 }),
      Code.InvalidArgument,
      ["page_size"],
      () => rest("GET", "books?page_size=-1"),
      400,
    ],
    [
      "for a page token that is none",
      () => library.listBooks({ pageToken: "b" }),
      Code.InvalidArgument,
      ["page_token"],
      () => rest("GET", "books?page_token=b"),
      400,
    ],
    [
      "for a filter that no index serves",
      () => library.listBooks({ filter: `title = "A"` }),
      Code.InvalidArgument,
      ["filter"],
      () => rest("GET", `books?filter=${encodeURIComponent(`title = "A"`)}`),
      400,
    ],
    [
      "for an order that no index serves",
      () => library.listBooks({ orderBy: "title" }),
      Code.InvalidArgument,
      ["order_by"],
      () => rest("GET", "books?order_by=title"),
      400,
    ],
  ];
  test.each(broken)("%s", async (_, call, code, fields, overRest, status) => {
    await add({ id: "1" });
    expect(await failure(call())).toMatchObject({ code, fields });
    expect(await overRest()).toMatchObject({ status, code, fields });
  });
});

describe("a member of a oneof that only the service sets", () => {
  const scan = { case: "scan", value: "s3://scans/1" } as const;
  const url = { case: "url", value: "https://books/1" } as const;
  const printing = { case: "printing", value: 2 } as const;

  test("is passed over in a create", async () => {
    expect((await add({ edition: scan })).edition).toEqual({ case: undefined });
    expect((await add({ edition: url })).edition).toEqual(url);
  });

  test("stays until a caller sets another one", async () => {
    await add({ id: "1", edition: url });
    const scanned = () => data.repositories.books!.update("1", { edition: scan });
    const update = async (book: MessageInitShape<typeof BookSchema>, ...paths: string[]) =>
      (await library.updateBook({ book: { id: "1", title: "A", ...book }, updateMask: { paths } })).edition;

    // Not the caller's to set, nor to take away.
    expect(await update({ edition: scan }, "scan")).toEqual(url);
    expect(await update({ edition: scan })).toEqual(url);
    await scanned();
    for (const paths of [[], ["*"], ["title"], ["url"], ["scan"], ["url", "printing", "scan"]]) {
      expect(await update({}, ...paths), paths.join()).toEqual(scan);
    }
    expect(await update({ edition: { ...scan, value: "s3://mine" } }, "*")).toEqual(scan);

    for (const paths of [[], ["*"], ["printing"], ["url", "printing"]]) {
      await scanned();
      expect(await update({ edition: printing }, ...paths), paths.join()).toEqual(printing);
      expect((await library.getBook({ id: "1" })).edition).toEqual(printing);
    }
    // What the mask does not name, the request does not say.
    await scanned();
    expect(await update({ edition: printing }, "title")).toEqual(scan);
  });
});

describe("a row that is deleted", () => {
  test("is kept, seen by nobody but who asks for it, and comes back", async () => {
    const book = await add({ id: "1" });
    await library.getBook({ id: "1" });
    const deleted = await library.deleteBook({ id: "1" });
    expect(deleted.deleteTime?.seconds).toBeGreaterThan(0n);
    expect(deleted.etag).not.toBe(book.etag);
    for (const call of [
      () => library.getBook({ id: "1" }),
      () => library.batchGetBooks({ ids: ["1"] }),
      () => library.updateBook({ book: { id: "1", title: "B" } }),
      () => library.deleteBook({ id: "1" }),
    ]) {
      expect(await failure(call())).toMatchObject({ code: Code.NotFound });
    }
    expect((await library.listBooks({})).books).toEqual([]);
    expect((await library.listBooks({ showDeleted: true })).books).toEqual([deleted]);
    expect(await failure(add({ id: "1" }))).toMatchObject({ code: Code.AlreadyExists });
    expect(await failure(library.undeleteBook({ id: "1", etag: book.etag }))).toMatchObject({ code: Code.Aborted });
    expect(await failure(library.undeleteBook({ id: "x" }))).toMatchObject({ code: Code.NotFound });
    const back = await library.undeleteBook({ id: "1", etag: deleted.etag });
    expect(back).toEqual({ ...book, etag: back.etag, updateTime: back.updateTime });
    expect(await library.getBook({ id: "1" })).toEqual(back);
  });

  test("cannot be made so, or back, by a request", async () => {
    const deleteTime = { seconds: 1n };
    const book = await add({ id: "1", deleteTime });
    expect(book.deleteTime).toBeUndefined();
    const paths = ["delete_time", "title"];
    const updated = await library.updateBook({ book: { id: "1", title: "B", deleteTime }, updateMask: { paths } });
    expect(updated).toMatchObject({ title: "B" });
    expect(updated.deleteTime).toBeUndefined();
  });
});

describe("an etag", () => {
  test("is another after each write, is never the caller's, and is compared when it is given", async () => {
    const book = await add({ id: "1", etag: "mine" });
    expect(book.etag).toMatch(/^.{16}$/);
    const update = (etag: string) => library.updateBook({ book: { id: "1", pages: 7, etag } });
    const second = await update(book.etag);
    expect(second).toMatchObject({ pages: 7 });
    expect(second.etag).not.toBe(book.etag);
    expect(await failure(update(book.etag))).toMatchObject({ code: Code.Aborted });
    const third = await update("");
    expect(third.etag).not.toBe(second.etag);
    const named = { book: { id: "1", etag: third.etag }, updateMask: { paths: ["etag"] } };
    expect((await library.updateBook(named)).etag).toBe(third.etag);
    expect(await failure(library.deleteBook({ id: "1", etag: second.etag }))).toMatchObject({ code: Code.Aborted });
    await library.deleteBook({ id: "1", etag: third.etag });
  });

  test("lets one of many through", async () => {
    const { etag } = await add({ id: "1" });
    const update = (pages: number) =>
      library.updateBook({ book: { id: "1", pages, etag } }).then(
        () => "done",
        ({ code }) => code,
      );
    const results = await Promise.all([1, 2, 3, 4, 5].map(update));
    expect(results.filter((result) => result === "done")).toHaveLength(1);
    expect(results.filter((result) => result === Code.Aborted)).toHaveLength(4);
  });
});

describe("a row that refers to another", () => {
  test("keeps it from being removed, and refers to none when it is empty", async () => {
    await library.createShelf({ shelf: { id: "s" } });
    const book = await add({ shelfId: "s" });
    expect(await failure(library.deleteShelf({ id: "s" }))).toMatchObject({
      code: Code.FailedPrecondition,
      message: expect.stringContaining("other rows refer to this one"),
    });
    const moved = await library.updateBook({ book: { id: book.id }, updateMask: { paths: ["shelf_id"] } });
    expect(moved.shelfId).toBe("");
    await library.deleteShelf({ id: "s" });
    const { rows } = await execute(url, `SELECT "shelf_id", "author_id" FROM "books"`);
    expect(rows).toEqual([{ shelf_id: null, author_id: "" }]);
  });

  test("may refer to its own table, by a field that need not be there, and to a row that is deleted but kept", async () => {
    await add({ id: "1" });
    await library.deleteBook({ id: "1" });
    expect((await add({ id: "2", prequelId: "1" })).prequelId).toBe("1");
    expect(await failure(add({ prequelId: "" }))).toMatchObject({ fields: ["prequel_id"] });
    expect((await add({ id: "3" })).prequelId).toBeUndefined();
  });

  test("may say so of its parent by child_type", async () => {
    const review = (bookId: string) => data.repositories.reviews!.create({ bookId } as never);
    await add({ id: "1" });
    await review("1");
    expect(await failure(review("2"))).toMatchObject({ code: Code.FailedPrecondition, fields: ["book_id"] });
    expect(await failure(review(""))).toMatchObject({ code: Code.InvalidArgument, fields: ["book_id"] });
  });
});

test("a create that is sent twice with one request_id happens once", async () => {
  const request = { book: { title: "A" }, requestId: "r" };
  const [one, other] = await Promise.all([library.createBook(request), library.createBook(request)]);
  expect(one).toEqual(other);
  expect((await library.listBooks({})).books).toEqual([one]);
});

describe("a filter", () => {
  const shelf = "s";
  beforeEach(async () => {
    await library.createShelf({ shelf: { id: shelf } });
    const period = (seconds: bigint, nanos = 0) => ({ loanPeriod: { seconds, nanos } });
    await add({
      id: "a",
      genre: Genre.POEM,
      pages: 10,
      shelfId: shelf,
      rating: 1.5,
      subtitle: `it's "x"`,
      available: true,
      ...period(1n, 500_000_000),
    });
    await add({ id: "b", genre: Genre.NOVEL, pages: -0, rating: -1, subtitle: "", weight: 0.1, ...period(2n) });
    await add({
      id: "c",
      genre: Genre.NOVEL,
      pages: 300,
      lentUntil: { seconds: 1_700_000_000n },
      serial: 2n ** 64n - 1n,
    });
  });

  test.each([
    ["", "abc"],
    [`id = "b"`, "b"],
    [`id > "a" AND id <= "c"`, "bc"],
    ["genre = GENRE_NOVEL AND pages >= 300", "c"],
    ["genre != GENRE_NOVEL", "a"],
    ["pages<300 AND pages!=0", "a"],
    ["rating = 1.5", "a"],
    ["rating < 0", "b"],
    ["rating != 1.5", "bc"],
    ["weight = 0.1", "b"],
    ["available = true", "a"],
    ["serial = 18446744073709551615", "c"],
    ["serial = 18446744073709551614", ""],
    ["serial > 18446744073709551614", "c"],
    ["serial = 1.8446744073709551615e19", "c"],
    ["pages = 1e1", "a"],
    ["rating = .15e1", "a"],
    ["rating = 01.50", "a"],
    ["rating < -0.", "b"],
    [`subtitle = "it's \\"x\\""`, "a"],
    [`subtitle = 'it\\'s "x"'`, "a"],
    [`subtitle = ""`, "b"],
    [`subtitle != ""`, "ac"],
    ["loan_period > 1s AND loan_period < 2s", "a"],
    ["loan_period = 1.5s", "a"],
    [`lent_until >= "2023-11-14T22:13:20Z"`, "c"],
    ["lent_until > 2023-11-14T23:13:20+01:00", ""],
    [`shelf_id = "s"`, "a"],
    [`shelf_id = ""`, "bc"],
    [`shelf_id != ""`, "a"],
    [`shelf_id < "t"`, "abc"],
    [`shelf_id > ""`, "a"],
  ])("%s finds %s", async (filter, ids) => {
    expect((await library.listBooks({ filter })).books.map(({ id }) => id).join("")).toBe(ids);
  });

  test.each([
    ["title = 1", "compares title, which it cannot"],
    ["colour = 1", "it may compare id, shelf_id, prequel_id, genre, pages"],
    ["genre = GENRE_DRAMA", "one of GENRE_UNSPECIFIED, GENRE_POEM, GENRE_NOVEL"],
    ["genre > GENRE_POEM", "have no order"],
    ["available < true", "have no order"],
    ["pages = ten", "a whole number"],
    ["pages = 1.5", "a whole number"],
    ["pages = 2147483648", "a whole number"],
    ["serial = -1", "a whole number"],
    [`pages = "1"`, "a whole number"],
    ["rating = NaN", "a number"],
    ["id = a", "in quotes"],
    ["lent_until = yesterday", "an instant"],
    ["loan_period = 5", "a duration"],
    [`lent_until = "2021-02-30T00:00:00Z"`, "which is a date that does not exist: write an instant"],
    [`lent_until < 2021-01-01T24:00:00Z`, "which is a time that does not exist"],
    [`lent_until < "0000-01-01T00:00:00Z"`, "which is out of range: an instant is from 0001-01-01T00:00:00Z"],
    ["loan_period = 1.0000000001s", "which has more than nine decimals"],
    ["loan_period = 1sx", "which is no duration in seconds"],
    ["serial = 18446744073709551616", "which is out of range: uint64 is from 0 to 18446744073709551615"],
    ["serial = 0x10", "which is no whole number (uint64)"],
    ["rating = 1e400", "which is out of range for a double"],
    ["weight = 1e39", "which is out of range for a float"],
    ["available = yes", "true or false"],
    ["pages = 1 OR pages = 2", `cannot be read from "OR pages`],
    ["pages = 1 AND", "cannot be read"],
    ["pages = 1 and pages = 2", "cannot be read"],
    ["NOT pages = 1", "cannot be read"],
    ["(pages = 1)", "cannot be read"],
    ["pages", "cannot be read"],
    [`id = "a`, "cannot be read"],
    [`id = "a'; DROP TABLE books`, "cannot be read"],
    [Array.from({ length: 33 }, () => "pages = 1").join(" AND "), "more than 32"],
  ])("%s is refused", async (filter, problem) => {
    const { code, fields, message } = await failure(library.listBooks({ filter }));
    expect({ code, fields }).toEqual({ code: Code.InvalidArgument, fields: ["filter"] });
    expect(message).toContain(problem);
  });

  test("does not read quadratically", async () => {
    expect(await failure(library.listBooks({ filter: `id = "${"\\\\".repeat(200_000)}` }))).toMatchObject({
      fields: ["filter"],
    });
  });
});

describe("a list in an order", () => {
  const values = [
    { id: "a", pages: 2, rating: 1 },
    { id: "b", pages: 1 },
    { id: "c", pages: 2 },
    { id: "d", pages: 2, rating: 1, lentUntil: { seconds: 5n, nanos: 1000 } },
    { id: "e", pages: 3, rating: -0.5, lentUntil: { seconds: 5n, nanos: 2000 } },
    { id: "f", pages: 1, rating: 2 },
    { id: "g", pages: 3, lentUntil: { seconds: 5n, nanos: 1000 } },
  ];
  beforeEach(async () => {
    for (const value of values) await add(value);
  });

  /** Every book, a page at a time. */
  async function walk(request: { orderBy: string; filter?: string }, pageSize: number): Promise<string> {
    const seen: Book[] = [];
    let pageToken = "";
    do {
      const page = await library.listBooks({ ...request, pageSize, pageToken });
      expect(page.books.length).toBeLessThanOrEqual(pageSize);
      seen.push(...page.books);
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
    return seen.map(({ id }) => id).join("");
  }

  test.each([
    ["", "abcdefg"],
    ["id desc", "gfedcba"],
    ["pages", "bfacdeg"],
    ["pages desc", "egacdbf"],
    ["pages desc, id desc", "gedcafb"],
    ["  pages ,id   desc", "fbdcage"],
    ["rating", "eadfbcg"],
    ["rating desc", "bcgfade"],
    ["lent_until, rating desc", "gdebcfa"],
    ["lent_until desc, pages", "bfacedg"],
  ])("%s comes as %s, whatever the pages' size", async (orderBy, ids) => {
    for (const size of [1, 2, 3, 7, 100]) expect([size, await walk({ orderBy }, size)]).toEqual([size, ids]);
  });

  test("may be filtered too", async () => {
    expect(await walk({ orderBy: "rating desc", filter: "pages = 2" }, 1)).toBe("cad");
  });

  test("takes one statement a page", async () => {
    const call = { requestHeader: new Headers({ "x-server-timing": "1" }), responseHeader: new Headers() };
    const request = { orderBy: "rating desc", filter: "pages > 1", pageSize: 2 };
    const { nextPageToken: pageToken } = await library.listBooks(request);
    await timedCall(call, "library", undefined, () => data.repositories.books!.list({ ...request, pageToken }));
    const timing = call.responseHeader.get("server-timing")?.replaceAll(/;dur=[\d.]+/g, "");
    expect(timing).toBe('library, library.cache;desc="miss", library.db;desc="select books"');
  });

  test.each(["title", "pages down", "pages,,id", "pages, pages", "pages desc asc", ",", "PAGES"])(
    "%s is refused, and what may be used is said",
    async (orderBy) => {
      const { code, fields, message } = await failure(library.listBooks({ orderBy }));
      expect({ code, fields }).toEqual({ code: Code.InvalidArgument, fields: ["order_by"] });
      expect(message).toMatch(/may be ordered by id, shelf_id|named twice/);
    },
  );

  test("refuses a page token of another filter, order or kind of list", async () => {
    const mine = { orderBy: "pages", filter: "pages > 0", pageSize: 2 };
    const { nextPageToken: pageToken } = await library.listBooks(mine);
    await library.listBooks({ ...mine, pageToken, pageSize: 3 });
    for (const other of [{ orderBy: "pages desc" }, { filter: "pages > 1" }, { showDeleted: true }, { orderBy: "" }]) {
      expect(await failure(library.listBooks({ ...mine, pageToken, ...other }))).toMatchObject({
        code: Code.InvalidArgument,
        fields: ["page_token"],
      });
    }
  });
});
