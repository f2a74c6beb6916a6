import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdir, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { machine, median } from "./rounds.js";
import type { Load, Loaded } from "./rpc/load.js";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

const servers = ["own", "connect-node", "grpc-js", "node:http2"] as const;
const shapes = [
  { connections: 10, streams: 100 },
  { connections: 1, streams: 32 },
  { connections: 100, streams: 1 },
  { connections: 1, streams: 1 },
] as const;

interface Sample extends Loaded {
  /** Processor time of the server for one call, in microseconds. */
  readonly cpu: number;
}

/**
 * Unary calls of GetOrder against four servers, each on the first core, with the load on the second. Everything in turn in
 * each round. Arguments: `--rounds=<n>`, `--ms=<milliseconds of each measurement>`.
 */
export async function bench(args: readonly string[]): Promise<void> {
  const option = (name: string, fallback: number) =>
    Number(args.find((arg) => arg.startsWith(`--${name}=`))?.slice(name.length + 3) ?? fallback);
  const rounds = option("rounds", 3);
  const milliseconds = option("ms", 2_000);
  const samples = new Map<string, Sample[]>();
  const loader = await start("load.ts", [], 1);
  for (let round = 0; round < rounds; round++) {
    for (const name of servers) {
      const server = await start("server.ts", [name], 0);
      const [{ port }] = (await once(server, "message")) as [{ port: number }];
      // Compiled before it is measured.
      await ask<Loaded>(loader, { port, connections: 10, streams: 50, milliseconds: 1_000 });
      for (const shape of shapes) {
        const before = await cpuOf(server);
        const loaded = await ask<Loaded>(loader, { port, ...shape, milliseconds } satisfies Load);
        const cpu = ((await cpuOf(server)) - before) / Math.max(1, loaded.calls);
        const key = `${name} ${shape.connections} × ${shape.streams}`;
        samples.set(key, [...(samples.get(key) ?? []), { ...loaded, cpu }]);
        process.stderr.write(`${key}: ${Math.round(loaded.calls / loaded.seconds)}/s, ${cpu.toFixed(1)} µs\n`);
      }
      server.kill();
    }
  }
  loader.kill();
  const text = report(samples, rounds);
  process.stdout.write(text);
  await mkdir(here("results"), { recursive: true });
  await writeFile(here("results/rpc.md"), text);
}

async function start(file: string, args: readonly string[], core: number): Promise<ChildProcess> {
  const child = fork(here(`rpc/${file}`), args, {
    execPath: "taskset",
    execArgv: ["-c", String(core), process.execPath, "--import", "tsx"],
  });
  await once(child, "spawn");
  return child;
}

async function ask<T>(child: ChildProcess, message: object): Promise<T> {
  child.send(message);
  return ((await once(child, "message")) as [T])[0];
}

async function cpuOf(server: ChildProcess): Promise<number> {
  const { user, system } = await ask<NodeJS.CpuUsage>(server, {});
  return user + system;
}

function report(samples: ReadonlyMap<string, readonly Sample[]>, rounds: number): string {
  const rows = shapes.flatMap(({ connections, streams }) =>
    servers.map((name) => {
      const of = (server: string) => samples.get(`${server} ${connections} × ${streams}`) ?? [];
      const own = of(name);
      const rate = (sample: Sample) => sample.calls / sample.seconds;
      const ratios = own.map((sample, round) => of("grpc-js")[round]!.cpu / sample.cpu);
      const rates = own.map(rate);
      return [
        `${connections} × ${streams}`,
        name,
        Math.round(median(rates)).toLocaleString("en"),
        `${Math.round(Math.min(...rates)).toLocaleString("en")}–${Math.round(Math.max(...rates)).toLocaleString("en")}`,
        median(own.map(({ p50 }) => p50)).toFixed(2),
        median(own.map(({ p99 }) => p99)).toFixed(2),
        median(own.map(({ cpu }) => cpu)).toFixed(1),
        median(own.map((sample, round) => rate(sample) / rate(of("grpc-js")[round]!))).toFixed(2),
        median(ratios).toFixed(2),
        own.reduce((sum, { errors }) => sum + errors, 0),
      ];
    }),
  );
  return `# RPC

\`npm run bench -- rpc\`: ${rounds} rounds, every server in turn in each; medians. Unary GetOrder, an order of three lines made anew for every
call (\`node:http2\` answers constant bytes). The server has the first core, the load, our own client without decoding, the second. Shapes are
connections × calls in flight on each; times are milliseconds; processor time is the server's own, for one call. Our own uses
generated codecs; connect-node and grpc-js use protobuf-es.

${machine()} (2 of it is this).

| shape | server | calls/s | from–to | p50 | p99 | µs CPU/call | calls/s × grpc-js | CPU: grpc-js ÷ this | errors |
| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
${rows.map((cells) => `| ${cells.join(" | ")} |`).join("\n")}
`;
}
