import { cp, mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const repository = fileURLToPath(new URL("../../", import.meta.url));

/** A copy of the shop that a measurement may edit. */
export interface ShopCopy {
  readonly root: string;
  /** Replaces text in a file. Throws if the file does not have it. */
  edit(path: string, before: string, after: string): Promise<void>;
}

/** Copies the shop into a folder inside the repository, so that npm's packages are found. */
export async function copyShop(root: string): Promise<ShopCopy> {
  for (const part of ["package.json", "buf.yaml", "tsconfig.json", "proto", "generated"]) {
    await cp(join(repository, part), join(root, part), { recursive: true });
  }
  await cp(join(repository, "examples/shop"), join(root, "examples/shop"), {
    recursive: true,
    filter: (path) => !/[\\/](dist|node_modules)$/.test(path),
  });
  // tsconfig.json says where the runtime is.
  await symlink(join(repository, "runtime"), join(root, "runtime"));
  // The copy's own generated code, where the services import it from.
  await mkdir(join(root, "node_modules/@shop"), { recursive: true });
  await symlink(join(root, "generated"), join(root, "node_modules/@shop/generated"));
  return {
    root,
    async edit(path, before, after) {
      const text = await readFile(join(root, path), "utf8");
      if (!text.includes(before)) throw new Error(`${path} does not have: ${before}`);
      await writeFile(join(root, path), text.replace(before, after));
    },
  };
}
