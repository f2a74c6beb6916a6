import { create, type DescMessage, type MessageInitShape, type MessageShape } from "@bufbuild/protobuf";
import { type Timestamp, timestampNow } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { asc, eq, getTableColumns, gt, type SQL, sql } from "drizzle-orm";
import type { PgColumn } from "drizzle-orm/pg-core";
import { v7 as uuidv7 } from "uuid";
import type { Database } from "./driver.js";
import type { Entity } from "./entity.js";
import { translated } from "./errors.js";
import { pageToken, parsePageToken } from "./page-token.js";
import type { Page, PageRequest, TransactionRepository } from "./repository.js";

const DEFAULT_PAGE_SIZE = 50;
const MAX_PAGE_SIZE = 1000;
/** What a statement answers beside a row; no field is called so. */
const ANNOUNCED = "$announced";

type Written = Record<string, unknown>;

/** Who wants to know of writes. */
export interface WriteObserver {
  /** An expression that the statement which writes this row evaluates beside it; undefined: none. */
  announce?(key: string): SQL | undefined;
  /** Is told the key of each row that was written, and what `announce` gave. */
  wrote(key: string, announced: unknown): void;
}

/** The rows of one entity, read and written by SQL with no cache in between. */
export class Rows<D extends DescMessage> implements TransactionRepository<D> {
  readonly #db: Database;
  readonly #entity: Entity<D>;
  readonly #key: PgColumn;
  readonly #observer: WriteObserver | undefined;

  constructor(entity: Entity<D>, db: Database, observer?: WriteObserver) {
    const key = getTableColumns(entity.table)[entity.key];
    if (key === undefined) throw new Error(`the table of ${entity.schema.typeName} has no column ${entity.key}`);
    this.#db = db;
    this.#entity = entity;
    this.#key = key;
    this.#observer = observer;
  }

  async get(key: string): Promise<MessageShape<D>> {
    return (await this.find(key)) ?? this.#missing(key);
  }

  async find(key: string): Promise<MessageShape<D> | undefined> {
    const [row] = await this.#select(eq(this.#key, key), 1);
    return row;
  }

  async lock(key: string): Promise<MessageShape<D>> {
    const query = this.#db.select().from(this.#entity.table).where(eq(this.#key, key)).for("update");
    const [row] = await translated(async () => await query);
    return row === undefined ? this.#missing(key) : this.#entity.fromRow(row);
  }

  async batchGet(keys: readonly string[]): Promise<MessageShape<D>[]> {
    const found = await this.findAll(keys);
    return pick(this.#entity.schema, keys, found);
  }

  /** The rows with these keys, by key; those that do not exist are left out. */
  async findAll(keys: readonly string[]): Promise<Map<string, MessageShape<D>>> {
    if (keys.length === 0) return new Map();
    // One parameter, however many keys: the statement's text stays the same.
    const rows = await this.#select(sql`${this.#key} = any(${sql.param([...new Set(keys)])})`);
    return new Map(rows.map((row) => [this.#keyOf(row), row]));
  }

  async list({ pageSize = 0, pageToken: token = "" }: PageRequest = {}): Promise<Page<MessageShape<D>>> {
    if (pageSize < 0) throw new ConnectError(`page_size is ${pageSize}: send 0 or more`, Code.InvalidArgument);
    const { typeName } = this.#entity.schema;
    const size = Math.min(pageSize || DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE);
    const after = token === "" ? undefined : gt(this.#key, parsePageToken(typeName, token));
    // One more than asked for tells whether there is another page.
    const items = await this.#select(after, size + 1);
    if (items.length <= size) return { items, nextPageToken: "" };
    items.length = size;
    return { items, nextPageToken: pageToken(typeName, this.#keyOf(items[size - 1]!)) };
  }

  async *all(): AsyncIterable<MessageShape<D>> {
    let token = "";
    do {
      const page = await this.list({ pageSize: MAX_PAGE_SIZE, pageToken: token });
      yield* page.items;
      token = page.nextPageToken;
    } while (token !== "");
  }

  async create(init: MessageInitShape<D>): Promise<MessageShape<D>> {
    const { schema, table, key, createTime, updateTime } = this.#entity;
    const row = this.#entity.toRow(create(schema, init));
    if (row[key] === "") row[key] = uuidv7();
    const now = timestampNow();
    if (createTime !== undefined) row[createTime] = now;
    if (updateTime !== undefined) row[updateTime] = now;
    const query = this.#db
      .insert(table)
      .values(row)
      .returning(this.#returning(row[key] as string));
    const [created] = (await translated(async () => await query)) as Written[];
    const message = this.#entity.fromRow(created!);
    this.#observer?.wrote(this.#keyOf(message), created![ANNOUNCED]);
    return message;
  }

  async update(key: string, change: MessageInitShape<D>): Promise<MessageShape<D>> {
    const { schema } = this.#entity;
    const given = change as Record<string, unknown>;
    const to = given[this.#entity.key];
    if (to !== undefined && to !== key) {
      throw new ConnectError(
        `the ${this.#entity.key} of ${schema.name} ${quote(key)} cannot change`,
        Code.InvalidArgument,
      );
    }
    const fields = Object.keys(given).filter((name) => name in schema.field && given[name] !== undefined);
    return this.write(key, create(schema, change), fields);
  }

  /**
   * Changes these fields of a row to what they are in `message`, those that it does not have to nothing; NOT_FOUND if
   * the row does not exist. The key and the creation time stay.
   */
  async write(key: string, message: MessageShape<D>, fields: readonly string[]): Promise<MessageShape<D>> {
    const { table, createTime, updateTime } = this.#entity;
    const row = this.#entity.toRow(message);
    const change: Record<string, unknown> = {};
    for (const name of fields) {
      if (name !== this.#entity.key && name !== createTime && name !== updateTime) change[name] = row[name] ?? null;
    }
    if (Object.keys(change).length === 0) return this.get(key);
    if (updateTime !== undefined) change[updateTime] = timestampNow() satisfies Timestamp;
    const query = this.#db.update(table).set(change).where(eq(this.#key, key)).returning(this.#returning(key));
    const [updated] = (await translated(async () => await query)) as Written[];
    if (updated === undefined) return this.#missing(key);
    this.#observer?.wrote(key, updated[ANNOUNCED]);
    return this.#entity.fromRow(updated);
  }

  async delete(key: string): Promise<void> {
    const { table } = this.#entity;
    const query = this.#db
      .delete(table)
      .where(eq(this.#key, key))
      .returning({ key: this.#key, ...this.#announced(key) });
    const [deleted] = (await translated(async () => await query)) as Written[];
    if (deleted === undefined) return this.#missing(key);
    this.#observer?.wrote(key, deleted[ANNOUNCED]);
  }

  #returning(key: string) {
    return { ...getTableColumns(this.#entity.table), ...this.#announced(key) };
  }

  #announced(key: string): { [ANNOUNCED]?: SQL } {
    const announced = this.#observer?.announce?.(key);
    return announced === undefined ? {} : { [ANNOUNCED]: announced };
  }

  async #select(where: SQL | undefined, limit?: number): Promise<MessageShape<D>[]> {
    const query = this.#db.select().from(this.#entity.table).where(where).orderBy(asc(this.#key)).$dynamic();
    const rows = await translated(async () => await (limit === undefined ? query : query.limit(limit)));
    return rows.map((row) => this.#entity.fromRow(row));
  }

  #keyOf(message: MessageShape<D>): string {
    return (message as unknown as Record<string, string>)[this.#entity.key]!;
  }

  #missing(key: string): never {
    throw notFound(this.#entity.schema, [key]);
  }
}

/** One row for each key, in their order. @throws ConnectError NOT_FOUND that names the keys without one */
export function pick<D extends DescMessage>(
  schema: D,
  keys: readonly string[],
  found: ReadonlyMap<string, MessageShape<D>>,
): MessageShape<D>[] {
  const missing = keys.filter((key) => !found.has(key));
  if (missing.length > 0) throw notFound(schema, missing);
  return keys.map((key) => found.get(key)!);
}

/** NOT_FOUND, naming the keys (the first ten of them). */
export function notFound(schema: DescMessage, keys: readonly string[]): ConnectError {
  const named = keys.slice(0, 10).map(quote).join(", ");
  const more = keys.length > 10 ? ` and ${keys.length - 10} more` : "";
  return new ConnectError(`no ${schema.name} ${named}${more}`, Code.NotFound);
}

function quote(key: string): string {
  return JSON.stringify(key.length > 128 ? `${key.slice(0, 128)}…` : key);
}
