import { execFile } from "node:child_process";
import { cp, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { fromBinary } from "@bufbuild/protobuf";
import { type FileDescriptorSet, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { bufBinary } from "../image/buf.js";

const words = fileURLToPath(new URL("../../proto/", import.meta.url));

/** Compiles the protos of a folder and those in it, beside the words that contracts are written in. */
export async function compile(folder: string): Promise<FileDescriptorSet> {
  const workspace = await mkdtemp(join(tmpdir(), "scaffold-image-"));
  try {
    for (const word of ["google", "buf", "scaffold"])
      await cp(join(words, word), join(workspace, word), { recursive: true });
    for (const name of await readdir(folder, { recursive: true })) {
      if (name.endsWith(".proto")) await cp(join(folder, name), join(workspace, name));
    }
    await writeFile(join(workspace, "buf.yaml"), "version: v2\n");
    const build = ["build", "--as-file-descriptor-set", "--output", "-"];
    const { stdout } = await promisify(execFile)(bufBinary(), build, {
      cwd: workspace,
      encoding: "buffer",
      maxBuffer: 2 ** 27,
    });
    return fromBinary(FileDescriptorSetSchema, stdout);
  } finally {
    await rm(workspace, { recursive: true, force: true });
  }
}
