import type * as fs from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";

/** What goes wrong at one call: an error, or, of a write, that it takes only a part of what it was given. */
export type Fault = "ENOSPC" | "EDQUOT" | "EIO" | "short";

/** Decides what goes wrong at a call; undefined: nothing. */
export type Decide = (call: { readonly name: string; readonly path: string }) => Fault | undefined;

const calls = ["write", "datasync", "sync", "truncate"] as const;

/** The file system, less what `decide` takes away from it: all else is really done. */
export class FaultyDisk {
  decide: Decide = () => undefined;

  /** For vi.mock: the module, with faults in `open`, `rename`, and what is done with open files. */
  wrap(real: typeof fs): typeof fs {
    const open: typeof fs.open = async (path, ...rest) => {
      this.#meet("open", String(path));
      return this.#file(await real.open(path, ...rest), String(path));
    };
    const rename: typeof fs.rename = async (from, to) => {
      this.#meet("rename", String(to));
      await real.rename(from, to);
    };
    return { ...real, open, rename };
  }

  #file(file: FileHandle, path: string): FileHandle {
    for (const name of calls) {
      const method = file[name] as (...given: unknown[]) => Promise<unknown>;
      const faulty = async (...given: unknown[]) => {
        if (this.#meet(name, path) === "short") {
          const length = given[2] as number;
          given[2] = Math.ceil(length / 2);
        }
        return method.apply(file, given);
      };
      Object.assign(file, { [name]: faulty });
    }
    return file;
  }

  #meet(name: string, path: string): Fault | undefined {
    const fault = this.decide({ name, path });
    if (fault === undefined || fault === "short") return name === "write" ? fault : undefined;
    throw Object.assign(new Error(`${fault}: ${name} ${path}`), { code: fault });
  }
}
