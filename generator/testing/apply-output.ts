import { readFileSync } from "node:fs";
import { applyOutput, planOutput } from "../output/output.js";
import { exclusively } from "../project/lock.js";

/** A program that brings a project's output up to date, as `scaffold generate` does: `root`, and a file with what is wanted. */
const [root = "", wanted = ""] = process.argv.slice(2);
const place = { root, generated: "generated", version: "1.0.0" };
await exclusively(root, async () => {
  await applyOutput(place, await planOutput(place, JSON.parse(readFileSync(wanted, "utf8"))));
});
