import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import { getTableName, type SQL } from "drizzle-orm";
import { memoryStore } from "../../cache/memory.js";
import { ReadThrough } from "../../cache/read-through.js";
import type { SharedTier } from "../../cache/shared.js";
import { isOthersCancellation } from "../../call/active-call.js";
import type { CachePolicy } from "../../spec/cache.js";
import type { Entity } from "../../spec/entity.js";
import type { Driver } from "../postgres/driver.js";
import { isOutage } from "../postgres/errors.js";
import { NotificationListener } from "../postgres/listener.js";
import { announce, CHANNEL, instanceName, isCacheable, parseNotice, record } from "../postgres/notices.js";
import type { Page } from "../rows/repository.js";
import { SharedCache } from "./shared-cache.js";
import { SharedRows } from "./shared-rows.js";

/** The cache of one entity and its invalidation. */
export interface EntityCache {
  readonly rows: ReadThrough<MessageShape<DescMessage>>;
  /** Pages of lists by query. Any write invalidates all of them. */
  readonly pages: ReadThrough<Page<MessageShape<DescMessage>>>;
  /** The expression in a statement that announces the written row to other instances. */
  readonly announce: (key: string) => SQL | undefined;
  /** Invalidates a row that was written; `announced` is the result of its announcement. */
  readonly forget: (key: string, announced?: unknown) => void;
  /** Suspects a row that may have been written, or may still be: an interrupted statement can take effect later. */
  readonly doubt: (key: string) => void;
}

/** The caches of a service's entities in this process, kept consistent with those of other instances. */
export interface Caches {
  open(entity: Entity, policy: CachePolicy): EntityCache;
  close(): Promise<void>;
}

export interface CachesOptions {
  readonly service: string;
  readonly driver: Driver;
  /** A tier behind the in-process cache, shared by all instances. */
  readonly shared?: SharedTier;
}

/** If more keys than this are in doubt, all rows are suspected. */
const MOST_DOUBTS = 1000;
/** The maximum number of cached pages of lists per entity. */
const MOST_PAGES = 200;
/** The key announced for an entity whose rows are not cached but whose lists are. No row has an empty key. */
const NO_ROW = "";

export function openCaches({ service, driver, shared: tier }: CachesOptions): Caches {
  const instance = instanceName();
  const byTable = new Map<string, EntityCache>();
  const doubts = new Set<string>();
  let longestMs = 0;
  const shared = tier && new SharedCache({ tier, driver, service, longestMs: () => longestMs });
  const listener = new NotificationListener({ url: () => driver.primary(), service, channel: CHANNEL, heard, began });
  driver.onPrimary(() => listener.move());

  // Earlier writes went unheard, and the shared tier may have missed them, too.
  function began(): void {
    doubts.clear();
    shared?.begin();
  }

  function heard(payload: string): void {
    const notice = parseNotice(payload);
    if (notice === undefined) return;
    const { table, key } = notice;
    // This instance has invalidated its own writes already, and perhaps reloaded the rows, unless the commit's outcome was unknown.
    if (notice.instance === instance && !doubts.has(`${table}/${key}`)) return;
    byTable.get(table)?.forget(key);
  }

  function open(entity: Entity, policy: CachePolicy): EntityCache {
    const table = getTableName(entity.table);
    const rows = new ReadThrough<MessageShape<DescMessage>>(policy, {
      store: memoryStore(),
      isOutage,
      isAbandoned: isOthersCancellation,
      coherence: listener,
      behind: shared && new SharedRows(entity, table, shared),
    });
    const copy = ({ items, nextPageToken }: Page<MessageShape<DescMessage>>) => ({
      items: items.map((row) => policy.copy(row)),
      nextPageToken,
    });
    const pages = new ReadThrough<Page<MessageShape<DescMessage>>>(
      { ...policy, copy },
      {
        store: memoryStore(MOST_PAGES),
        isOutage,
        isAbandoned: isOthersCancellation,
        coherence: listener,
      },
    );
    longestMs = Math.max(longestMs, policy.ttlMs);
    const cache: EntityCache = {
      rows,
      pages,
      announce(key) {
        if (!isCacheable(key)) return announce({ instance, table, key: NO_ROW });
        return (shared ? record : announce)({ instance, table, key });
      },
      forget(key, announced) {
        rows.invalidate(key);
        pages.suspectAll();
        shared?.invalidate(table, key, typeof announced === "string" ? announced : undefined);
      },
      doubt(key) {
        if (doubts.size >= MOST_DOUBTS) {
          doubts.clear();
          listener.renew();
        }
        doubts.add(`${table}/${key}`);
        rows.suspect(key);
        pages.suspectAll();
        shared?.invalidate(table, key);
      },
    };
    byTable.set(table, cache);
    return cache;
  }

  return {
    open,
    async close() {
      await listener.close();
      await shared?.close();
    },
  };
}
