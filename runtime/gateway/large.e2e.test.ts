import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { request } from "node:http";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { innocent } from "../../scripts/testing/innocent.js";

const program = fileURLToPath(new URL("./testing/large-process.ts", import.meta.url));
const children: ChildProcess[] = [];
let gateway: string;

beforeAll(async () => {
  const run = async (...args: string[]) => {
    const child = fork(program, args, { execArgv: ["--import", "tsx"] });
    children.push(child);
    const [{ url }] = (await once(child, "message")) as [{ url: string }];
    return url;
  };
  gateway = await run(await run());
}, 60_000);
afterAll(() => {
  for (const child of children) child.kill();
});

async function longestTurns(): Promise<number[]> {
  const answers = children.map((child) => once(child, "message") as Promise<[{ longestTurnMs: number }]>);
  for (const child of children) child.send("turns");
  return (await Promise.all(answers)).map(([{ longestTurnMs }]) => longestTurnMs);
}

/** Reads an answer to its end, and forgets it. */
async function read(path: string, body: object): Promise<{ status: number; bytes: number }> {
  const headers = { "content-type": "application/json" };
  const sent = request(gateway + path, { method: "POST", headers, agent: false });
  sent.end(JSON.stringify(body));
  const [response] = await once(sent, "response");
  let bytes = 0;
  for await (const chunk of response) bytes += chunk.length;
  return { status: response.statusCode, bytes };
}

const health = async () => {
  const { status } = await fetch(`${gateway}/healthz`);
  if (status !== 200) throw new Error(`${status}`);
};

describe.each([
  ["REST", "/v1/echo"],
  ["Connect in JSON", "/testing.KindService/Echo"],
])("large answers over %s leave others their turn", (_, path) => {
  test.each([
    ["bytes", 5_000_000, 6_666_667],
    ["bytes", 60_000_000, 80_000_000],
    ["text", 5_000_000, 5_000_000],
    ["list", 2_000_000, 2_000_000],
    ["list", 40_000_000, 40_000_000],
    ["map", 400_000, 400_000],
  ])("%s of %d bytes", async (shape, size, least) => {
    await read(path, { tags: [shape], small: 1_000 });
    await longestTurns();
    const beside = innocent(health, 20, [children[1]!.pid!]);
    const { status, bytes } = await read(path, { tags: [shape], small: size });
    const { failures, p99 } = await beside.stop();
    expect(status).toBe(200);
    expect(bytes).toBeGreaterThan(least);
    expect(failures.size).toBe(0);
    expect(p99).toBeLessThan(200);
    if (process.env.SHOW_TURNS)
      console.log(path, shape, size, "longest turns of service and gateway:", await longestTurns());
  });
});
