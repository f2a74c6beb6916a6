import { expect, test } from "vitest";
import { compareCodecs } from "../testing/codec-cases.js";
import { codecs } from "../testing/codecs.js";

/** Another one each day, unless it is to be seen again. */
const seed = Number(process.env.CODEC_SEED ?? Math.floor(Date.now() / 86_400_000) * 1_000_000);

test("codecs and protobuf-es do the same with 200,000 messages and bytes of every kind", () => {
  console.log(`CODEC_SEED=${seed}`);
  const tally = compareCodecs(codecs, { seed, cases: 60_000 });
  console.log(JSON.stringify(tally));
  expect(tally.encoded + tally.decoded + tally.refused).toBeGreaterThan(200_000);
});
