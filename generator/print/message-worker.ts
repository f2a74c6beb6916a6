import { Worker, type WorkerOptions } from "node:worker_threads";
import type { EmittedFile } from "../emit/emitter.js";
import type { Image } from "../image/compile.js";

/** The size in bytes below which an image is printed before a thread has started. */
const WORTH_A_THREAD = 600_000;

/** A print job in another thread. */
export interface MessageWorker {
  /** Undefined for a small contract: the caller prints its files. */
  readonly messages?: Promise<readonly EmittedFile[]>;
  /** Cancels the job. */
  end(): void;
}

/** Prints the messages of a large contract (`printMessages`) in a worker thread, while the contract is built. */
export function printInWorker({ bytes }: Pick<Image, "bytes">, worth = WORTH_A_THREAD): MessageWorker {
  if (bytes.length < worth) return { end() {} };
  const worker = startThread({ workerData: bytes });
  const messages = new Promise<readonly EmittedFile[]>((resolve, reject) => {
    worker.once("message", resolve);
    worker.once("error", reject);
    worker.once("exit", () => reject(new Error("the thread that prints messages has ended")));
  });
  // It may fail before it is awaited.
  messages.catch(() => undefined);
  return { messages, end: () => void worker.terminate() };
}

function startThread(options: WorkerOptions): Worker {
  if (!import.meta.url.endsWith(".ts")) return new Worker(new URL("./message-thread.js", import.meta.url), options);
  // In a checkout the thread runs from TypeScript source, which needs a loader.
  const [loader, program] = [import.meta.resolve("tsx/esm/api"), new URL("./message-thread.ts", import.meta.url).href];
  const code = `import("${loader}").then(({ register }) => register()).then(() => import("${program}"));`;
  return new Worker(code, { ...options, eval: true });
}
