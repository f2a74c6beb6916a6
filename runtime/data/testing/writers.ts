import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { expect } from "vitest";
import { builtProgram } from "../../testing/program.js";

export interface Crowd {
  readonly url: string;
  readonly cacheUrl?: string;
  readonly processes: number;
  /** The number of steps of each process. */
  readonly operations: number;
  /** Runs while the processes work. */
  readonly meanwhile?: () => Promise<void>;
}

/** Lets several processes read and write the same rows at random; afterwards cache and database must agree in each. */
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
    // Nothing expires during the test: only outstanding notices can correct a row.
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

/** Resolves with a child's next message; rejects if the child exits. */
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
