/** How many files are in hand at once: enough to keep a disk busy, and few enough for any limit on open files. */
const AT_ONCE = 32;

/** Like `Promise.all(items.map(run))`, but only some at a time. After a failure no more are begun. */
export async function mapSome<T, R>(items: readonly T[], run: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = new Array(items.length);
  let next = 0;
  let failed = false;
  const work = async () => {
    while (next < items.length && !failed) {
      const index = next++;
      try {
        results[index] = await run(items[index]!);
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  const settled = await Promise.allSettled(Array.from({ length: AT_ONCE }, work));
  for (const outcome of settled) if (outcome.status === "rejected") throw outcome.reason;
  return results;
}
