import { Worker, type WorkerOptions } from "node:worker_threads";
import type { EmittedFile } from "../emit/emitter.js";
import type { Image } from "../image/compile.js";

/** Of an image smaller than this, in bytes, all is printed here before a thread has started. */
const WORTH_A_THREAD = 600_000;

/** What is printed while something else is done. */
export interface MessageWorker {
  /** Undefined if it is not worth it: then whoever needs the files prints them. */
  readonly messages?: Promise<readonly EmittedFile[]>;
  /** Gives up what is not printed yet. */
  end(): void;
}

/** Prints the messages of a large contract (`printMessages`) in a thread of its own, while the contract is read. */
export function printInWorker({ bytes }: Pick<Image, "bytes">, worth = WORTH_A_THREAD): MessageWorker {
  if (bytes.length < worth) return { end() {} };
  const worker = startThread({ workerData: bytes });
  const messages = new Promise<readonly EmittedFile[]>((resolve, reject) => {
    worker.once("message", resolve);
    worker.once("error", reject);
    worker.once("exit", () => reject(new Error("the thread that prints messages has ended")));
  });
  // It may fail before anyone waits for it.
  messages.catch(() => undefined);
  return { messages, end: () => void worker.terminate() };
}

function startThread(options: WorkerOptions): Worker {
  if (!import.meta.url.endsWith(".ts")) return new Worker(new URL("./message-thread.js", import.meta.url), options);
  // In a checkout it runs from its source, which a thread must be taught to read before.
  const [loader, program] = [import.meta.resolve("tsx/esm/api"), new URL("./message-thread.ts", import.meta.url).href];
  const code = `import("${loader}").then(({ register }) => register()).then(() => import("${program}"));`;
  return new Worker(code, { ...options, eval: true });
}
