import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import type { Diagnostic } from "../contract/findings/diagnostic.js";
import type { Settings } from "../project/settings.js";

/** Returns the errors of the project's own TypeScript compiler, with the tsconfig.json at the root. Writes nothing. */
export async function checkTypes({ root }: Settings): Promise<Diagnostic[]> {
  if (!existsSync(join(root, "tsconfig.json"))) {
    throw new Error(`${join(root, "tsconfig.json")} is missing: types cannot be checked. npx tsc --init makes one`);
  }
  const args = [compiler(root), "--noEmit", "--pretty", "false", "--project", root];
  const child = spawn(process.execPath, args, { cwd: root, stdio: ["ignore", "pipe", "pipe"] });
  const exit = new Promise<number | null>((resolve, reject) => child.on("error", reject).on("close", resolve));
  const [code, stdout, stderr] = await Promise.all([exit, text(child.stdout), text(child.stderr)]);
  const findings = parse(stdout);
  if (code !== 0 && findings.length === 0) throw new Error(`tsc: ${(stderr || stdout).trim() || `exit code ${code}`}`);
  return findings;
}

function compiler(root: string): string {
  try {
    return createRequire(join(root, "package.json")).resolve("typescript/bin/tsc");
  } catch {
    throw new Error("TypeScript is not installed in the project: npm install --save-dev typescript");
  }
}

/** Parses `file(line,column): error TS2322: message`. Indented lines continue the message. */
function parse(output: string): Diagnostic[] {
  const findings: { -readonly [K in keyof Diagnostic]: Diagnostic[K] }[] = [];
  for (const line of output.split(/\r?\n/)) {
    const [, file, row, column, rule, message] = /^(?:(.+)\((\d+),(\d+)\): )?error (TS\d+): (.*)$/.exec(line) ?? [];
    if (rule !== undefined && message !== undefined) {
      // An error without a place is about the configuration.
      const place = { file: file ?? "tsconfig.json", line: Number(row ?? 1), column: Number(column ?? 1) };
      findings.push({ ...place, rule, message, severity: "error" });
    } else if (/^\s+\S/.test(line)) {
      const last = findings.at(-1);
      if (last !== undefined) last.message += `\n${line.trimEnd()}`;
    }
  }
  return findings;
}
