/** From a transaction that publishes to a transaction that handles, over one broker. */
export interface Pipeline {
  /** Runs one transaction that writes a row and publishes an event of a key. */
  publish(key: string, text: string): Promise<void>;
  /** Is told the text of each event once what its handler wrote is committed. */
  handled: (text: string) => void;
  close(): Promise<void>;
}

/** What a pipeline is built over. */
export interface Parts {
  readonly producerUrl: string;
  readonly consumerUrl: string;
  readonly brokerUrl: string;
  readonly partitions: number;
  /** How many consumers of one group there are, each with connections of its own. */
  readonly consumers: number;
  /** Whether each consumer is a process of its own. */
  readonly apart: boolean;
  /** A topic of its own. */
  readonly topic: string;
}

/** So many transactions at a time. */
const LANES = 16;
const KEYS = 64;

/** Publishes `count` events as fast as it goes; answers the seconds until the last one is handled. */
export async function measureRate(pipeline: Pipeline, count: number): Promise<number> {
  let left = count;
  const all = new Promise<void>((resolve) => {
    pipeline.handled = () => {
      if (--left === 0) resolve();
    };
  });
  const started = performance.now();
  let next = 0;
  await Promise.all(
    Array.from({ length: LANES }, async () => {
      while (next < count) {
        const n = next++;
        await pipeline.publish(`key ${n % KEYS}`, `event ${n}`);
      }
    }),
  );
  await all;
  return (performance.now() - started) / 1000;
}

/** Publishes `count` events, one every `everyMs`; answers the milliseconds from each publication to the end of its handling. */
export async function measureLatency(pipeline: Pipeline, count: number, everyMs: number): Promise<number[]> {
  const begun = new Map<string, number>();
  const latencies: number[] = [];
  const all = new Promise<void>((resolve) => {
    pipeline.handled = (text) => {
      latencies.push(performance.now() - (begun.get(text) ?? 0));
      if (latencies.length === count) resolve();
    };
  });
  const publishing: Promise<void>[] = [];
  for (let n = 0; n < count; n++) {
    const text = `event ${n}`;
    begun.set(text, performance.now());
    publishing.push(pipeline.publish(`key ${n % KEYS}`, text));
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
  await Promise.all([all, ...publishing]);
  return latencies;
}
