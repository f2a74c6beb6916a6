import { expect, test } from "vitest";
import { failUnderLoad } from "../testing/failover-load.js";

test("under load, a primary that is killed costs no write that was acknowledged, and no restart", async () => {
  const tally = await failUnderLoad({ clients: 4, answers: 6, killService: false });
  console.info("primary killed, replica promoted:", tally);
  expect(tally).toMatchObject({ lost: 0, doubled: 0, unmarked: 0, failovers: 1 });
  expect(tally.rest).toEqual({
    ageMs: expect.toSatisfy((age: number) => age >= 0),
    status: 503,
    details: [
      { "@type": "type.googleapis.com/google.rpc.RetryInfo", retryDelay: "1s" },
      {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        reason: "DATABASE_UNAVAILABLE",
        domain: "protoscaffold",
      },
    ],
  });
  // The alert rises and falls.
  expect([...tally.up.slice(0, 2), tally.up.at(-1)]).toEqual([1, 0, 1]);
  for (const count of [tally.fresh, tally.stale, tally.deferred, tally.resumed]) expect(count).toBeGreaterThan(0);
  expect(tally.fresh + tally.stale + tally.deferred + tally.failed).toBe(tally.sent);
}, 120_000);
