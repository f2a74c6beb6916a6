// Preloaded into a process (node --import): kills it at one exact step of what it does to the file system. KILL_AT counts the
// steps; a step that writes is reached twice, before it and with half of the text written.

import fs, { writeSync } from "node:fs";
import fsp from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";

const { writeFileSync } = fs;
const { KILL_AT, KILL_IN, KILL_COUNT } = process.env;
let steps = 0;

function step(then = () => {}) {
  if (steps++ !== Number(KILL_AT)) return;
  then();
  process.kill(process.pid, "SIGKILL");
  // The signal is on its way.
  for (;;);
}

function before(name, path, text) {
  if (!String(path).startsWith(KILL_IN)) return;
  step();
  if (name === "writeFile") step(() => writeFileSync(path, String(text).slice(0, String(text).length / 2)));
}

for (const name of ["writeFile", "rename", "link", "rm", "rmdir", "mkdir"]) {
  const real = fsp[name];
  fsp[name] = async (path, ...rest) => {
    before(name, path, rest[0]);
    return real(path, ...rest);
  };
  const realSync = fs[`${name}Sync`];
  fs[`${name}Sync`] = (path, ...rest) => {
    before(name, path, rest[0]);
    return realSync(path, ...rest);
  };
}
syncBuiltinESMExports();

// How many steps there are, when nobody is killed.
if (KILL_COUNT) process.on("exit", () => writeSync(1, `steps ${steps}\n`));
