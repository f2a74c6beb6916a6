export {};

/** `npm run bench -- <name>`: measures, prints a table, and writes it to bench/results/. */
const benches: Readonly<Record<string, (args: readonly string[]) => Promise<void>>> = {
  codec: async (args) => (await import("./codec.js")).bench(args),
  data: async (args) => (await import("./data.js")).bench(args),
  dev: async (args) => (await import("./dev.js")).bench(args),
  events: async (args) => (await import("./events.js")).bench(args),
  sagas: async (args) => (await import("./sagas.js")).bench(args),
  rpc: async (args) => (await import("./rpc.js")).bench(args),
  generate: async (args) => (await import("./generate.js")).bench(args),
};

const [name = "", ...args] = process.argv.slice(2);
const bench = Object.hasOwn(benches, name) ? benches[name] : undefined;
if (bench === undefined) {
  console.error(`npm run bench -- <name>, where name is one of: ${Object.keys(benches).join(", ")}`);
  process.exitCode = 1;
} else {
  await bench(args);
}
