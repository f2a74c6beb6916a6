import { readFileSync } from "node:fs";

const file = [new URL("../package.json", import.meta.url), new URL("../../package.json", import.meta.url)];

/** The tool's version, from its package.json: beside the sources in a checkout, above `dist` in the package. */
export const version: string = readVersion();

function readVersion(): string {
  for (const url of file) {
    try {
      return (JSON.parse(readFileSync(url, "utf8")) as { version: string }).version;
    } catch {}
  }
  throw new Error("protoscaffold's own package.json is missing: install the package again.");
}
