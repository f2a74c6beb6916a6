#!/usr/bin/env node
// JavaScript that any Node with ES modules reads, so that an old one gets an answer instead of a SyntaxError.
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { setFlagsFromString } from "node:v8";

const [major, minor] = process.versions.node.split(".").map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  console.error(
    `scaffold needs Node 20.19 or later; this is ${process.versions.node}. ` +
      "Install a newer one from https://nodejs.org, or with your version manager (nvm install 22).",
  );
  process.exit(1);
}

// Node 20 optimizes most of what runs for a second or two in vain: a sixth of a generation's processor time. Later ones know better.
if (major === 20) setFlagsFromString("--interrupt-budget=400000");

/** In a checkout the tool runs from its TypeScript sources, as a package from what was built of them. */
async function start() {
  const source = new URL("../cli/main.ts", import.meta.url);
  if (!existsSync(source)) return import("../dist/main.js");
  const { register } = await import("tsx/esm/api");
  register({ tsconfig: fileURLToPath(new URL("../../tsconfig.json", import.meta.url)) });
  return import(source.href);
}

start().then(({ main }) => main(process.argv.slice(2)));
