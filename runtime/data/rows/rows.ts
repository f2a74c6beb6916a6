import { randomBytes } from "node:crypto";
import type { DescMessage, Message, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import { type Timestamp, timestampNow } from "@bufbuild/protobuf/wkt";
import type { ConnectError } from "@connectrpc/connect";
import { and, asc, eq, getTableColumns, isNotNull, isNull, type Placeholder, type SQL, sql } from "drizzle-orm";
import type { PgColumn } from "drizzle-orm/pg-core";
import { v7 as uuidv7 } from "uuid";
import { violated } from "../../call/violations.js";
import { createMessage, isInherited } from "../../codec/create.js";
import { own } from "../../codec/message.js";
import { errorFor } from "../../errors/error.js";
import type { Entity } from "../../spec/entity.js";
import { keepAtMost } from "../postgres/bounded.js";
import type { Database } from "../postgres/driver.js";
import { translated } from "../postgres/errors.js";
import { checkMasks } from "../postgres/unkeepable.js";
import { parseFilter } from "./filter.js";
import { insertRow } from "./insert.js";
import { checkKeyLength } from "./key-length.js";
import { after, inOrder, type OrderField, parseOrder, positionOf } from "./order.js";
import { pageToken, parsePageToken } from "./page-token.js";
import type { Page, PageRequest, Precondition, SoftRepository, TransactionRepository } from "./repository.js";

const DEFAULT_PAGE_SIZE = 50;
const MAX_PAGE_SIZE = 1000;
/** The maximum size of a page's rows as the database sends them: responses may have 4 MiB. */
const MAX_PAGE_BYTES = 3 * 1024 * 1024;
/** The maximum size of a batch's rows: a batch is returned completely or not at all. */
const MAX_BATCH_BYTES = 16 * 1024 * 1024;
/** The name of a statement's further result beside a row; no field has it. */
const ANNOUNCED = "$announced";

/** Some or all columns of a row, by their names in TypeScript. */
type Written = Record<string, unknown>;

/** Observes writes. */
export interface WriteObserver {
  /** Returns an expression that the statement which writes this row evaluates, or undefined. */
  announce?(key: string): SQL | undefined;
  /** Called with the key of each written row, and the value of `announce`. */
  wrote(key: string, announced: unknown): void;
}

/** The rows of one entity, read and written by SQL without a cache. */
export class Rows<D extends DescMessage>
  implements TransactionRepository<D, string, Written>, SoftRepository<D, string, Written>
{
  readonly #db: Database;
  readonly #entity: Entity<D>;
  readonly #columns: Readonly<Record<string, PgColumn>>;
  readonly #key: PgColumn;
  readonly #observer: WriteObserver | undefined;
  // The most frequent statements are built once.
  #finding: { execute(values: { key: string }): Promise<Written[]> } | undefined;
  readonly #listing = new Map<boolean, { execute(values: { limit: number }): Promise<Written[]> }>();

  constructor(entity: Entity<D>, db: Database, observer?: WriteObserver) {
    const columns = getTableColumns(entity.table);
    const key = columns[entity.key];
    if (key === undefined) throw new Error(`the table of ${entity.schema.typeName} has no column ${entity.key}`);
    this.#db = db;
    this.#entity = entity;
    this.#columns = columns;
    this.#key = key;
    this.#observer = observer;
  }

  async get(key: string): Promise<MessageShape<D>> {
    return (await this.find(key)) ?? this.#missing(key);
  }

  async find(key: string): Promise<MessageShape<D> | undefined> {
    this.#finding ??= this.#prepareFind();
    const finding = this.#finding;
    const [row] = await translated(() => finding.execute({ key }));
    return row === undefined ? undefined : this.#entity.fromRow(row);
  }

  async findBy(unique: Written): Promise<MessageShape<D> | undefined> {
    const fields = uniqueFields(this.#entity, unique);
    const query = this.#db
      .select()
      .from(this.#entity.table)
      .where(and(...fields.map((name) => eq(this.#columns[name]!, unique[name])), this.#notDeleted()));
    const [row] = await translated(async () => await query);
    return row === undefined ? undefined : this.#entity.fromRow(row);
  }

  #prepareFind() {
    const query = this.#db
      .select()
      .from(this.#entity.table)
      .where(this.#there(sql.placeholder("key")));
    // An unnamed statement is not prepared: a pooler may send the next one to another connection.
    return query.prepare("");
  }

  /** Returns the row with this key, unless it is deleted. */
  #there(key: string | Placeholder): SQL | undefined {
    return and(eq(this.#key, key), this.#notDeleted());
  }

  #notDeleted(): SQL | undefined {
    const { deleteTime } = this.#entity;
    return deleteTime === undefined ? undefined : isNull(this.#columns[deleteTime]!);
  }

  async lock(key: string): Promise<MessageShape<D>> {
    const query = this.#db.select().from(this.#entity.table).where(this.#there(key)).for("update");
    const [row] = await translated(async () => await query);
    return row === undefined ? this.#missing(key) : this.#entity.fromRow(row);
  }

  async batchGet(keys: readonly string[]): Promise<MessageShape<D>[]> {
    const found = await this.findAll(keys);
    return pick(this.#entity.schema, keys, found);
  }

  /** Returns the rows with these keys, by key, without the missing ones. */
  async findAll(keys: readonly string[]): Promise<Map<string, MessageShape<D>>> {
    if (keys.length === 0) return new Map();
    // One array parameter keeps the statement's text the same for any number of keys.
    const named = sql`${this.#key} = any(${sql.param([...new Set(keys)])})`;
    const query = this.#db.select().from(this.#entity.table).where(and(named, this.#notDeleted())).prepare("");
    const rows = await translated(() => keepAtMost(query, MAX_BATCH_BYTES).execute());
    if (isCut(rows, this.#entity)) {
      const { name } = this.#entity.schema;
      const most = `${MAX_BATCH_BYTES / 2 ** 20} MiB`;
      throw errorFor("ROWS_TOO_LARGE", `these rows of ${name} have more than ${most}: ask for fewer`);
    }
    return new Map(rows.map((row) => [row[this.#entity.key] as string, this.#entity.fromRow(row)]));
  }

  async list(request: PageRequest = {}): Promise<Page<MessageShape<D>>> {
    const { pageSize = 0, pageToken: token = "", filter = "", orderBy = "", showDeleted = false } = request;
    if (pageSize < 0) {
      const description = `is ${pageSize}: send 0 or more`;
      throw violated([{ field: "page_size", description, reason: "PAGE_SIZE_INVALID" }]);
    }
    const { fromRow } = this.#entity;
    const conditions = parseFilter(this.#entity, filter);
    const order = parseOrder(this.#entity, orderBy);
    const list = [this.#entity.schema.typeName, filter, orderBy, showDeleted].join("\0");
    if (token !== "") conditions.push(after(order, parsePageToken(list, token, order.length))!);
    const size = Math.min(pageSize || DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE);
    // One extra row tells whether there is another page.
    const limit = size + 1;
    const rows = await translated(() => {
      if (conditions.length === 0 && orderBy === "") return this.#firstPage(showDeleted).execute({ limit });
      return keepAtMost(this.#page(conditions, order, showDeleted, limit).prepare(""), MAX_PAGE_BYTES).execute();
    });
    const kept = isCut(rows, this.#entity) ? rows.slice(0, -1) : rows.slice(0, size);
    const last = rows.length > kept.length ? kept.at(-1) : undefined;
    const nextPageToken = last === undefined ? "" : pageToken(list, positionOf(order, last));
    return { items: kept.map((row) => fromRow(row)), nextPageToken };
  }

  #firstPage(showDeleted: boolean) {
    let listing = this.#listing.get(showDeleted);
    if (listing === undefined) {
      const query = this.#page([], parseOrder(this.#entity, ""), showDeleted, sql.placeholder("limit"));
      listing = keepAtMost(query.prepare(""), MAX_PAGE_BYTES);
      this.#listing.set(showDeleted, listing);
    }
    return listing;
  }

  #page(conditions: readonly SQL[], order: readonly OrderField[], showDeleted: boolean, limit: number | Placeholder) {
    return this.#db
      .select()
      .from(this.#entity.table)
      .where(and(...conditions, showDeleted ? undefined : this.#notDeleted()))
      .orderBy(...inOrder(order))
      .limit(limit);
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
    const { schema, table, key, createTime, updateTime, deleteTime, etag, constraints } = this.#entity;
    const message = createMessage(schema, init);
    const row = this.#entity.toRow(message);
    if (row[key] === "") row[key] = uuidv7();
    else checkKeyLength(this.#entity, row[key] as string);
    const now = timestampNow();
    if (createTime !== undefined) row[createTime] = now;
    if (updateTime !== undefined) row[updateTime] = now;
    if (deleteTime !== undefined) row[deleteTime] = null;
    if (etag !== undefined) row[etag] = newEtag();
    const beside = this.#announced(row[key] as string);
    const created = await translated(
      async () => {
        checkMasks(schema, message);
        return insertRow(this.#db, { table, columns: this.#columns, row, beside });
      },
      { constraints, written: { schema, message } },
    );
    return this.#written(created);
  }

  async update(key: string, change: MessageInitShape<D>): Promise<MessageShape<D>> {
    const { schema, etag } = this.#entity;
    const given = change as Record<string, unknown>;
    const to = own(given, this.#entity.key);
    if (to !== undefined && to !== key) {
      throw errorFor("KEY_IMMUTABLE", `the ${this.#entity.key} of ${schema.name} ${quote(key)} cannot change`);
    }
    const fields = schema.members.flatMap((member) => {
      if (own(given, member.localName) === undefined) return [];
      return member.kind === "oneof" ? member.fields.map(({ localName }) => localName) : [member.localName];
    });
    const expected = etag === undefined ? undefined : (own(given, etag) as string | undefined);
    return this.write(key, createMessage(schema, change), fields, { etag: expected });
  }

  /**
   * Sets these fields of a row to their values in `message`; a field without a value is cleared. Throws NOT_FOUND if the row does not
   * exist. The key and the fields that the repository sets itself are kept.
   */
  async write(
    key: string,
    message: MessageShape<D>,
    fields: readonly string[],
    precondition: Precondition = {},
  ): Promise<MessageShape<D>> {
    const { schema, key: keyField, createTime, updateTime, deleteTime, etag } = this.#entity;
    const row = this.#entity.toRow(message);
    const ours = [keyField, createTime, updateTime, deleteTime, etag];
    const changed = [...withOthers(schema, fields)].filter((name) => !ours.includes(name));
    if (changed.length === 0) {
      const found = await this.get(key);
      checkEtag(this.#entity, key, found, precondition.etag);
      return found;
    }
    const change = Object.fromEntries(changed.map((name) => [name, row[name] ?? null]));
    const written = await this.#change(key, change, this.#notDeleted(), precondition, message);
    return written ?? this.#refuse(key, this.#notDeleted());
  }

  async delete(key: string, precondition: Precondition = {}): Promise<MessageShape<D>> {
    const { table, deleteTime, constraints } = this.#entity;
    if (deleteTime !== undefined) {
      const written = await this.#change(key, { [deleteTime]: timestampNow() }, this.#notDeleted(), precondition);
      return written ?? this.#refuse(key, this.#notDeleted());
    }
    const query = this.#db
      .delete(table)
      .where(and(eq(this.#key, key), this.#hasEtag(precondition)))
      .returning(this.#returning(key));
    const [deleted] = (await translated(async () => await query, { constraints, removes: true })) as Written[];
    return deleted === undefined ? this.#refuse(key) : this.#written(deleted);
  }

  async undelete(key: string, precondition: Precondition = {}): Promise<MessageShape<D>> {
    const { schema, deleteTime } = this.#entity;
    if (deleteTime === undefined) throw new Error(`${schema.typeName} has no delete_time, so none of it can come back`);
    const isDeleted = isNotNull(this.#columns[deleteTime]!);
    const back = await this.#change(key, { [deleteTime]: null }, isDeleted, precondition);
    if (back !== undefined) return back;
    if ((await this.find(key)) === undefined) return this.#refuse(key, isDeleted);
    throw errorFor("ROW_NOT_DELETED", `the ${schema.name} ${quote(key)} is not deleted`);
  }

  /** Updates the row with this key if it meets the conditions, together with the columns that the repository sets itself. */
  async #change(
    key: string,
    change: Written,
    state: SQL | undefined,
    precondition: Precondition,
    message?: MessageShape<D>,
  ): Promise<MessageShape<D> | undefined> {
    const { schema, table, updateTime, etag, constraints } = this.#entity;
    if (updateTime !== undefined) change[updateTime] = timestampNow() satisfies Timestamp;
    if (etag !== undefined) change[etag] = newEtag();
    const query = this.#db
      .update(table)
      .set(this.#settable(change))
      .where(and(eq(this.#key, key), state, this.#hasEtag(precondition)))
      .returning(this.#returning(key));
    const run = async () => {
      if (message !== undefined) checkMasks(schema, message);
      return await query;
    };
    const subject = { constraints, written: message && { schema, message } };
    const [changed] = (await translated(run, subject)) as Written[];
    return changed && this.#written(changed);
  }

  /** Removes inherited properties, which Drizzle would set, too. */
  #settable(change: Written): Written {
    const inherited = Object.keys(this.#columns).filter((name) => isInherited(name) && !Object.hasOwn(change, name));
    return { ...change, ...Object.fromEntries(inherited.map((name) => [name, sql`${this.#columns[name]}`])) };
  }

  #written(row: Written): MessageShape<D> {
    const message = this.#entity.fromRow(row);
    this.#observer?.wrote(this.#keyOf(message), row[ANNOUNCED]);
    return message;
  }

  #hasEtag({ etag = "" }: Precondition): SQL | undefined {
    if (etag === "") return undefined;
    const { schema, etag: field } = this.#entity;
    if (field === undefined) throw new Error(`${schema.typeName} has no etag that could be compared`);
    return eq(this.#columns[field]!, etag);
  }

  /** Throws the reason why no row was written: it does not exist in this state, or has another etag. */
  async #refuse(key: string, state?: SQL): Promise<never> {
    const [found] = await this.#select(and(eq(this.#key, key), state), 1);
    if (found === undefined) return this.#missing(key);
    throw changedMeanwhile(this.#entity.schema, key);
  }

  #returning(key: string) {
    return { ...this.#columns, ...this.#announced(key) };
  }

  #announced(key: string): { [ANNOUNCED]: SQL } | Record<string, never> {
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

/** Returns whether the result was truncated: a row without a key marks that. */
function isCut(rows: readonly Written[], { key }: Entity): boolean {
  return rows.at(-1)?.[key] === null;
}

/** Adds the other members of a oneof: setting one member clears the others. */
function withOthers(schema: DescMessage, fields: readonly string[]): ReadonlySet<string> {
  return new Set(fields.flatMap((name) => schema.field[name]?.oneof?.fields.map((field) => field.localName) ?? [name]));
}

/** Returns the fields of a lookup. @throws Error if they are not exactly those of one unique index */
export function uniqueFields(
  { schema, unique = [] }: Entity,
  values: Readonly<Record<string, unknown>>,
): readonly string[] {
  const given = Object.keys(values);
  const fields = unique.find((index) => index.length === given.length && index.every((name) => given.includes(name)));
  if (fields === undefined)
    throw new Error(`${schema.typeName} has no unique index over ${given.join(", ") || "nothing"}`);
  return fields;
}

/** Returns a row for each key, in order. @throws ConnectError NOT_FOUND with the missing keys */
export function pick<D extends DescMessage>(
  schema: D,
  keys: readonly string[],
  found: ReadonlyMap<string, MessageShape<D>>,
): MessageShape<D>[] {
  const missing = keys.filter((key) => !found.has(key));
  if (missing.length > 0) throw notFound(schema, missing);
  return keys.map((key) => found.get(key)!);
}

/** @throws ConnectError ABORTED if the row has another etag than the caller expects */
export function checkEtag(entity: Entity, key: string, found: Message, etag: string | undefined): void {
  if (!etag || entity.etag === undefined) return;
  if ((found as unknown as Record<string, unknown>)[entity.etag] !== etag) throw changedMeanwhile(entity.schema, key);
}

function changedMeanwhile(schema: DescMessage, key: string): ConnectError {
  return errorFor(
    "ETAG_MISMATCH",
    `the ${schema.name} ${quote(key)} has changed since it had this etag: get it again, and decide anew`,
  );
}

/** Returns a new etag, opaque and unique (AIP-154). */
function newEtag(): string {
  return randomBytes(12).toString("base64url");
}

/** Returns the NOT_FOUND error that names the first ten keys. */
export function notFound(schema: DescMessage, keys: readonly string[]): ConnectError {
  const named = keys.slice(0, 10).map(quote).join(", ");
  const more = keys.length > 10 ? ` and ${keys.length - 10} more` : "";
  return errorFor("ROW_NOT_FOUND", `no ${schema.name} ${named}${more}`);
}

function quote(key: string): string {
  return JSON.stringify(key.length > 128 ? `${key.slice(0, 128)}…` : key);
}
