import type { GeneratedFile } from "@bufbuild/protoplugin";
import type { ContractFile } from "../contract/contract.js";
import { Copies } from "./copies.js";
import { digits, duration, fromRuntime } from "./print.js";

/** Emits `_cache`: the cache policy of an entity, and the function that copies its messages. */
export function emitCache(file: ContractFile, f: GeneratedFile): void {
  const declared = file.entities.map(({ exports }) => exports.cache);
  const copies = new Copies(f, `${file.path}_cache`, declared);
  for (const { desc, cache, exports } of file.entities) {
    if (cache === undefined) continue;
    const stale =
      cache.staleIfErrorS === 0
        ? ""
        : `, and ${duration(cache.staleIfErrorS * 1000)} longer while the database is unavailable`;
    const beside =
      cache.staleWhileRevalidateS === 0
        ? ""
        : `, ${duration(cache.staleWhileRevalidateS * 1000)} longer while it is reloaded`;
    f.print();
    f.print(
      f.jsDoc(
        `A row of ${desc.name} is served from the cache for ${duration(cache.ttlS * 1000)}${beside}${stale}.\n\n@generated from ${desc}`,
      ),
    );
    const policy = [fromRuntime(f, "CachePolicy", "cache", true), "<", f.importShape(desc), ">"];
    f.print(f.export("const", exports.cache), ": ", policy, " = {");
    f.print("  ttlMs: ", digits(cache.ttlS * 1000), ",");
    f.print("  staleIfErrorMs: ", digits(cache.staleIfErrorS * 1000), ",");
    if (cache.staleWhileRevalidateS > 0) {
      f.print("  staleWhileRevalidateMs: ", digits(cache.staleWhileRevalidateS * 1000), ",");
    }
    f.print("  copy: ", copies.of(desc), ",");
    f.print("};");
  }
  copies.print();
}
