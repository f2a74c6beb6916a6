import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { expect } from "vitest";
import { builtProgram } from "../../testing/program.js";

export interface Crowd {
  readonly url: string;
  readonly cacheUrl?: string;
  readonly processes: number;
  /** By each process. */
  readonly operations: number;
  /** Happens while they work. */
  readonly meanwhile?: () => Promise<void>;
}

/** Has several processes read and write the same rows at random; when all is quiet, cache and database must agree in each. */
export async function expectAgreement({ url, cacheUrl = "", processes, operations, meanwhile }: Crowd): Promise<void> {
  const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 1e9));
  console.info(`random writers: SEED=${seed}`);
  const program = await builtProgram(new URL("random-writer.ts", import.meta.url));
  const children = Array.from({ length: processes }, (_, index) =>
    fork(program, [url, cacheUrl, String(seed + index), String(operations)], { execArgv: [] }),
  );
  try {
    await Promise.all(children.map((child) => said(child)));
    const work = Promise.all(children.map((child) => ask(child, "work")));
    await meanwhile?.();
    await work;
    // Nothing expires meanwhile: waiting helps against notices under way only.
    await expect
      .poll(async () => (await Promise.all(children.map((child) => ask(child, "disagreements")))).flat(), {
        timeout: 15_000,
        interval: 200,
        message: `SEED=${seed}`,
      })
      .toEqual([]);
  } finally {
    await Promise.all(children.map(end));
  }
}

function ask(child: ChildProcess, what: string): Promise<unknown> {
  const answer = said(child);
  child.send(what);
  return answer;
}

/** What a child says next; rejects if it ends instead. */
async function said(child: ChildProcess): Promise<unknown> {
  const heard = new AbortController();
  const ended = once(child, "exit", { signal: heard.signal }).then(([code]) => {
    throw new Error(`a writer ended with ${code}`);
  });
  try {
    return (await Promise.race([once(child, "message", { signal: heard.signal }), ended]))[0];
  } finally {
    ended.catch(() => undefined);
    heard.abort();
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, "exit");
  child.kill("SIGKILL");
  await gone;
}
