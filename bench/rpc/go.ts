import { execFile } from "node:child_process";
import { cp, mkdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { bufBinary } from "../../generator/image/buf.js";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const run = promisify(execFile);

/** Builds the server on grpc-go, and answers where it is; or undefined where there is no `go`. */
export async function buildGo(): Promise<string | undefined> {
  if (!(await run("go", ["version"]).catch(() => undefined))) return undefined;
  const folder = here("../../.scaffold/bench/rpc-go");
  await mkdir(folder, { recursive: true });
  await cp(here("go"), folder, { recursive: true });
  const plugin = {
    local: ["go", "-C", folder, "tool", "protoc-gen-go"],
    out: folder,
    opt: ["paths=source_relative", "Morder.proto=protoscaffold/bench-grpc-go;main"],
  };
  const template = JSON.stringify({ version: "v2", plugins: [plugin] });
  await run(bufBinary(), ["generate", here("../codec"), "--template", template]);
  await run("go", ["build", "-C", folder, "-o", "server", "."]);
  return `${folder}/server`;
}
