/** Chooses the partition of a key: the same one wherever and whenever it is asked (FNV-1a, 32 bits, over UTF-8). */
export function partitionOf(key: string, partitions: number): number {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(key)) hash = Math.imul(hash ^ byte, 0x01000193);
  return (hash >>> 0) % partitions;
}
