import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import type { Behind, Loaded, Need } from "../../cache/read-through.js";
import type { Codec } from "../../codec/codec.js";
import { codecOf } from "../../codec/known.js";
import type { Entity } from "../../spec/entity.js";
import { shapeOf } from "./shape.js";
import type { SharedCache } from "./shared-cache.js";

const NOTHING = new Uint8Array();

/** The rows of one entity in the shared tier. They are kept as bytes, so that readers share no memory. */
export class SharedRows<D extends DescMessage> implements Behind<MessageShape<D>> {
  readonly #codec: Codec<D>;
  readonly #table: string;
  readonly #shape: string;
  readonly #shared: SharedCache;

  constructor(entity: Entity<D>, table: string, shared: SharedCache) {
    this.#codec = codecOf(entity.schema);
    this.#table = table;
    this.#shape = shapeOf(entity.schema);
    this.#shared = shared;
  }

  async read(
    key: string,
    load: () => Promise<MessageShape<D> | undefined>,
    need: Need<MessageShape<D>>,
  ): Promise<Loaded<MessageShape<D>>> {
    const { tier } = this.#shared;
    const id = await this.#shared.readable(this.#table, key);
    const answer = id === undefined ? undefined : await tier.read(id, this.#shape, need.atLeastMs);
    if (answer !== undefined && "found" in answer) {
      const { bytes, freshMs } = answer.found;
      const value = bytes.length === 0 ? undefined : this.#codec.decode(bytes);
      // Its TTL has a jitter, so it may have been read later than this says.
      return { value, freshMs, ageMs: Math.max(0, need.ttlMs - freshMs) };
    }
    const value = await load();
    const freshMs = need.freshMs(value);
    if (id !== undefined && answer !== undefined) {
      const bytes = value === undefined ? NOTHING : this.#codec.toBytes(value);
      // Not awaited; it never fails.
      void tier.fill(id, this.#shape, answer.lease, { bytes, freshMs });
    }
    return { value, freshMs, ageMs: 0 };
  }
}
