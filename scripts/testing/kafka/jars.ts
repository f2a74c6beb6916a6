import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rename, rm } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const pom = fileURLToPath(new URL("pom.xml", import.meta.url));

/**
 * The folder of Kafka's jars. Maven brings them once a version, into the user's cache, `XDG_CACHE_HOME` or
 * ~/.cache.
 */
export async function kafkaJars(): Promise<string> {
  const version = /<version>(.*)<\/version>/.exec(await readFile(pom, "utf8"))?.[1];
  const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "protoscaffold");
  const folder = join(cache, `kafka-${version}`);
  if (existsSync(folder)) return folder;
  await mkdir(cache, { recursive: true });
  const fetched = await mkdtemp(join(cache, "fetching-"));
  const goal = ["dependency:copy-dependencies", `-DoutputDirectory=${fetched}`, "-DincludeScope=runtime"];
  await promisify(execFile)("mvn", ["--quiet", "--batch-mode", "--file", pom, ...goal]).catch((cause: unknown) => {
    throw new Error("Maven could not bring Apache Kafka's jars: apt-get install maven", { cause });
  });
  // Whole or not at all. If another process was faster, its folder is as good.
  await rename(fetched, folder).catch(async (error: unknown) => {
    await rm(fetched, { recursive: true, force: true });
    if (!existsSync(folder)) throw error;
  });
  return folder;
}
