import { expect, test } from "vitest";
import { fuzzClient } from "./testing/fuzz-client.js";
import { fuzzServer } from "./testing/fuzz-server.js";

test("a million frames in any order", async () => {
  const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 32));
  console.log(`frames: SEED=${seed}`);
  const { frames, ends, left } = await fuzzServer(1_000_000, seed);
  console.log(frames, ends);
  expect(left).toEqual([0, 0, 0]);
}, 600_000);

test("200,000 answers in any order", async () => {
  const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 32));
  console.log(`answers: SEED=${seed}`);
  const { frames, ends, left } = await fuzzClient(200_000, seed);
  console.log(frames, ends);
  expect(left).toEqual([0, 0, 0]);
}, 600_000);
