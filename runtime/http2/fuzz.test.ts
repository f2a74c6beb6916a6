import { expect, test } from "vitest";
import { fuzzClient } from "./testing/fuzz-client.js";
import { fuzzServer } from "./testing/fuzz-server.js";

test("frames in any order end a connection only as RFC 9113 says, and leave nothing behind", async () => {
  const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 32));
  console.log(`frames: SEED=${seed}`);
  const { frames, ends, left } = await fuzzServer(20_000, seed);
  expect(frames).toBeGreaterThanOrEqual(20_000);
  expect(ends.alive).toBeGreaterThan(0);
  expect(ends.PROTOCOL_ERROR).toBeGreaterThan(0);
  expect(left).toEqual([0, 0, 0]);
}, 120_000);

test("answers in any order end each call, and a connection only as RFC 9113 says", async () => {
  const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 32));
  console.log(`answers: SEED=${seed}`);
  const { frames, ends, left } = await fuzzClient(10_000, seed);
  expect(frames).toBeGreaterThanOrEqual(10_000);
  expect(ends.PROTOCOL_ERROR).toBeGreaterThan(0);
  expect(left).toEqual([0, 0, 0]);
}, 120_000);
