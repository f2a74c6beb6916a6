import { userRegistered } from "@shop/generated/shop/users/v1/users_events.js";
import { type UserRegisteredSchema, UserService } from "@shop/generated/shop/users/v1/users_pb.js";
import { sql } from "drizzle-orm";
import { defineService } from "../../service/define.js";
import { serve } from "../../service/serve.js";
import { type ConsumerContext, type Delivery, Unprocessable } from "../delivery.js";

/**
 * A service that publishes UserRegistered, and consumes it as its e-mail address says: "hold" waits for a lock in the
 * database, "once" fails the first time, "never" always, and keeps its key waiting. Run as a process of its own.
 */
type Registered = typeof UserRegisteredSchema;
type Handlers = {
  userRegistered(delivery: Delivery<Registered>, context: ConsumerContext<object>): Promise<void>;
};

/** Names the lock that "hold" waits for. */
export const HOLD = 4711;

const define = defineService<{
  handler: object;
  standard: never;
  entities: object;
  peers: object;
  consumers: Handlers;
}>({
  service: UserService,
  name: "observed",
  policy: {},
  codecs: [],
  entities: {},
  peers: {},
  standard: {},
  publishes: [{ event: userRegistered, groups: ["observed"] }],
  consumes: {
    userRegistered: {
      event: userRegistered,
      concurrency: 4,
      batch: 10,
      timeoutMs: 60_000,
      retry: { maxAttempts: 3, initialBackoffMs: 10, maxBackoffMs: 10, backoffMultiplier: 1 },
      deadLetter: "park",
    },
  },
});

/** Nobody calls it. */
const handlers = Object.fromEntries(UserService.methods.map(({ localName }) => [localName, () => ({})]));

if (process.argv[1] === import.meta.filename) {
  await serve(
    define({
      handlers: () => handlers,
      consumers: () => ({
        async userRegistered({ event: { email }, attempt }, { tx }) {
          if (email === "hold") await tx.db.execute(sql`SELECT pg_advisory_xact_lock(${HOLD})`);
          if (email === "once" && attempt === 1) throw new Error("not yet");
          if (email === "never") throw new Unprocessable("of no use");
        },
      }),
    }),
  );
}
