import { expect, test } from "vitest";
import { failUnderLoad } from "../testing/failover-load.js";

test("nor does it when the service is killed, too, during the outage and while it makes what was deferred", async () => {
  const tally = await failUnderLoad({ clients: 8, answers: 50, killService: true });
  console.info("primary killed, service killed twice, replica promoted:", tally);
  expect(tally).toMatchObject({ lost: 0, doubled: 0, unmarked: 0 });
  for (const count of [tally.fresh, tally.stale, tally.deferred, tally.resumed]) expect(count).toBeGreaterThan(0);
  expect(tally.fresh + tally.stale + tally.deferred + tally.failed).toBe(tally.sent);
});
