import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { authority } from "../runtime/testing/certificates.js";
import { bundlePrograms } from "./bundle.js";
import { machine, median } from "./rounds.js";
import { buildGo } from "./rpc/go.js";
import type { Load, Loaded } from "./rpc/load.js";
import { bigId, streamed } from "./rpc/order.js";
import { startOrders } from "./rpc/orders.js";
import type { Started } from "./rpc/server.js";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const programs = here("../.scaffold/bench/rpc");

interface Shape {
  readonly name: string;
  /** Those with whom it makes sense. */
  readonly peers: readonly string[];
  readonly load: Omit<Load, "port" | "milliseconds">;
  readonly isTls?: boolean;
  /** Whether the one that is asked asks another of its kind. */
  readonly isHop?: boolean;
  /** Whether the peers are clients, each calling our own server. */
  readonly isClient?: boolean;
  /** The share of what was measured in the first shape that is asked for. */
  readonly share?: number;
}

const servers = [
  "own",
  "service",
  "connect-node",
  "connect-fastify",
  "nice-grpc",
  "grpc-js",
  "node:http2",
  "grpc-go",
  "node:net",
];
const clients = ["own", "connect-node", "grpc-js"];
const three = [...clients, "grpc-go"];
/** What has the shop's orders behind it, and not a bare handler. */
const SERVICE = "service";
const shapes: readonly Shape[] = [
  { name: "10 × 100", peers: servers, load: { connections: 10, streams: 100 } },
  { name: "1 × 32", peers: servers, load: { connections: 1, streams: 32 } },
  { name: "100 × 1", peers: servers, load: { connections: 100, streams: 1 } },
  { name: "1 × 1", peers: servers, load: { connections: 1, streams: 1 } },
  {
    name: "100 × 100",
    peers: ["own", "service", "grpc-js", "node:http2", "grpc-go"],
    load: { connections: 100, streams: 100 },
  },
  { name: "80 % of 10 × 100", peers: ["own", "grpc-js", "grpc-go"], load: { connections: 10, streams: 0 }, share: 0.8 },
  { name: "10 kB, 10 × 10", peers: [...three, "node:http2"], load: { connections: 10, streams: 10, id: bigId } },
  { name: "stream of 1,000, 10 × 1", peers: three, load: { connections: 10, streams: 1, isStream: true } },
  { name: "TLS, 10 × 100", peers: three, load: { connections: 10, streams: 100, isTls: true }, isTls: true },
  { name: "two hops, 10 × 10", peers: three, load: { connections: 10, streams: 10 }, isHop: true },
  { name: "client, 1 × 64", peers: clients, load: { connections: 1, streams: 64 }, isClient: true },
];

interface Sample extends Loaded {
  /** Calls, or messages of streams, per second. */
  readonly rate: number;
}

/** What a run is on. */
interface Setting {
  readonly node: string;
  readonly milliseconds: number;
  readonly tls: Started["tls"];
  /** The server on grpc-go, if there is one. */
  readonly go: string | undefined;
  /** The database of the shop's orders. */
  readonly database: string;
}

/**
 * Calls of GetOrder and WatchOrder against servers and by clients, those that are measured on the first core, the load on the
 * second. Everything in turn in each round. Each Node.js has a section of its own in the results, which the next run on
 * it replaces.
 *
 *     --rounds=<n> --ms=<of each measurement>
 *     --short         one round of half a second each
 *     --node=<path>   on this Node.js instead of the one that runs; may be given more than once
 *     --shape=<name>  only this one; may be given more than once. What is kept in the results stays
 *     --who=<name>    the same of who is measured
 */
export async function bench(args: readonly string[]): Promise<void> {
  const options = (name: string) =>
    args.filter((arg) => arg.startsWith(`--${name}=`)).map((arg) => arg.slice(name.length + 3));
  const isShort = args.includes("--short");
  const rounds = Number(options("rounds").at(-1) ?? (isShort ? 1 : 3));
  const milliseconds = Number(options("ms").at(-1) ?? (isShort ? 500 : 1_500));
  const nodes = options("node");
  const chosen = choose(options("shape"), options("who"));
  const tls = await (await authority("bench")).issue("server");
  const go = await buildGo();
  await bundlePrograms("rpc", ["server", "load"]);
  const orders = await startOrders();
  try {
    await run({ nodes, rounds, milliseconds, tls, go, database: orders.url }, chosen);
  } finally {
    await orders.stop();
  }
}

async function run(
  { nodes, rounds, ...setting }: Omit<Setting, "node"> & { nodes: readonly string[]; rounds: number },
  chosen: readonly Shape[],
): Promise<void> {
  const file = here("results/rpc.md");
  const { milliseconds } = setting;
  for (const node of nodes.length > 0 ? nodes : [process.execPath]) {
    const version = execFileSync(node, ["--version"], { encoding: "utf8" }).trim().slice(1);
    const samples = await measure({ node, ...setting }, rounds, chosen);
    const section = `## Node ${version.split(".")[0]}

${rounds} ${rounds === 1 ? "round" : "rounds"} of ${milliseconds} ms; ${machine(version)} (2 of it is this).

${table(samples, chosen)}`;
    process.stdout.write(section);
    if (chosen !== shapes) continue;
    await mkdir(here("results"), { recursive: true });
    await writeFile(file, withSection(await readFile(file, "utf8").catch(() => ""), section));
  }
}

const preface = `# RPC

\`npm run bench -- rpc\`: everyone in turn in each round; medians. Unary GetOrder, an order of three lines made anew for every call
(\`node:http2\` answers constant bytes; \`node:net\` too, and looks at the heads of frames alone: what the sockets cost). Who is measured has the
first core, the load the second: a client that sends constant bytes, and decodes statuses alone. Handlers are bare, of ours as of all others: no
contract's deadline, no validation, no data. \`service\` is the whole of what stands on ours, the shop's orders as they are deployed: GetOrder of an order
that is in its cache. All are bundled as services are; grpc-go is built beside them and has GOMAXPROCS=1. Everyone is measured until the last call is answered, and until
20 times what is in flight has been; who does not get there in a minute is left out. Shapes are connections × calls
in flight on each; times are milliseconds; processor time is that of who is measured, of both hops where there are two, for one call. A stream
counts its messages. At 80 % calls are sent when they are due, and their times count from then, also where the load itself was late or no
connection had room. Our own uses generated codecs, grpc-go its own generated code, the others protobuf-es.
`;

/** Returns the results with this section in place of the one with the same heading. */
function withSection(results: string, section: string): string {
  const headingOf = (text: string) => text.slice(0, text.indexOf("\n"));
  const others = results
    .split(/^(?=## )/m)
    .filter((text) => /^## Node/.test(text) && headingOf(text) !== headingOf(section));
  const sections = [...others, section].map((text) => text.trimEnd()).sort();
  return `${[preface, ...sections].join("\n")}\n`;
}

/** The shapes with these names, and the first one where another is a share of it, for those with these names. */
function choose(names: readonly string[], who: readonly string[]): readonly Shape[] {
  if (names.length === 0 && who.length === 0) return shapes;
  const named = shapes.filter(({ name }) => names.length === 0 || names.includes(name));
  const chosen = shapes.filter((each, at) => named.includes(each) || (at === 0 && named.some(({ share }) => share)));
  return chosen.map((each) => ({
    ...each,
    peers: each.peers.filter((peer) => who.length === 0 || who.includes(peer)),
  }));
}

async function measure(setting: Setting, rounds: number, chosen: readonly Shape[]): Promise<Map<string, Sample[]>> {
  const samples = new Map<string, Sample[]>();
  for (let round = 0; round < rounds; round++) {
    for (const shape of chosen) {
      for (const peer of shape.peers.filter((peer) => peer !== "grpc-go" || setting.go !== undefined)) {
        const sample = await sampleOf(setting, shape, peer, samples);
        const key = `${shape.name} ${peer}`;
        samples.set(key, [...(samples.get(key) ?? []), sample]);
        const { rate, cpu, p99, behind, errors } = sample;
        const times = `p99 ${p99.toFixed(1)} ms, the load ${behind.toFixed(1)} ms behind`;
        process.stderr.write(`${key}: ${Math.round(rate)}/s, ${cpu.toFixed(1)} µs, ${times}, ${errors} errors\n`);
      }
    }
  }
  return samples;
}

async function sampleOf(
  { node, milliseconds, tls, go, database }: Setting,
  { load, isTls, isHop, isClient, share }: Shape,
  peer: string,
  samples: ReadonlyMap<string, readonly Sample[]>,
): Promise<Sample> {
  const servers: ChildProcess[] = [];
  const loader = startNode(node, "load.mjs", [], isClient ? 0 : 1);
  const serve = async (what: Started, core: number): Promise<number> => {
    const told = [JSON.stringify(what)];
    const child = what.server === "grpc-go" ? start(go!, told, core) : startNode(node, "server.mjs", told, core);
    servers.push(child);
    return ((await once(child, "message")) as [{ port: number }])[0].port;
  };
  try {
    const next = isHop ? await serve({ server: peer }, 0) : undefined;
    const what = {
      server: isClient ? "own" : peer,
      next,
      ...(isTls ? { tls } : {}),
      ...(peer === SERVICE && { database }),
    };
    const port = await serve(what, isClient ? 1 : 0);
    const full = median((samples.get(`${shapes[0]?.name} ${peer}`) ?? []).map(({ rate }) => rate));
    const paced = share === undefined ? {} : { rate: share * full };
    const client = isClient ? { client: peer } : {};
    const asked = { ...load, ...client, port };
    // Warm-up: compiled before it is measured.
    await ask<Loaded>(loader, { ...asked, streams: Math.max(1, Math.min(50, load.streams)), milliseconds: 700 });
    if (share !== undefined) await ask<Loaded>(loader, { ...asked, ...paced, milliseconds: 700 });
    const before = await cpuOf(servers);
    const loaded = await ask<Loaded>(loader, { ...asked, ...paced, milliseconds });
    const cpu = isClient ? loaded.cpu : ((await cpuOf(servers)) - before) / Math.max(1, loaded.calls);
    const messages = load.isStream ? streamed : 1;
    return { ...loaded, rate: (loaded.calls * messages) / loaded.seconds, cpu: cpu / messages };
  } finally {
    for (const child of [...servers, loader]) child.kill();
  }
}

function startNode(node: string, file: string, args: readonly string[], core: number): ChildProcess {
  return start(node, [`${programs}/${file}`, ...args], core);
}

/** Starts a process pinned to one core, with a Node IPC channel. */
function start(program: string, args: readonly string[], core: number): ChildProcess {
  return spawn("taskset", ["-c", String(core), program, ...args], {
    stdio: ["ignore", "inherit", "inherit", "ipc"],
    env: { ...process.env, GOMAXPROCS: "1" },
  });
}

async function ask<T>(child: ChildProcess, message: object): Promise<T> {
  child.send(message);
  return ((await once(child, "message")) as [T])[0];
}

async function cpuOf(servers: readonly ChildProcess[]): Promise<number> {
  let sum = 0;
  for (const server of servers) {
    const { user, system } = await ask<NodeJS.CpuUsage>(server, {});
    sum += user + system;
  }
  return sum;
}

/** What could not be measured cannot be compared. */
function ratio(values: readonly number[]): string {
  return values.every(Number.isFinite) ? median(values).toFixed(2) : "–";
}

function measured(sample: Sample | undefined): Sample | undefined {
  return sample?.isMeasured ? sample : undefined;
}

function table(samples: ReadonlyMap<string, readonly Sample[]>, chosen: readonly Shape[]): string {
  const rows = chosen.flatMap(({ name, peers }) =>
    peers.map((peer) => {
      const of = (one: string) => samples.get(`${name} ${one}`) ?? [];
      const own = of(peer);
      if (own.length === 0) return [name, peer, "absent: no `go` here", ...Array(7).fill("–")];
      if (!own.every(({ isMeasured }) => isMeasured)) return [name, peer, "too slow to measure", ...Array(7).fill("–")];
      const rates = own.map(({ rate }) => rate);
      const round = (value: number) => Math.round(value).toLocaleString("en");
      return [
        name,
        peer,
        round(median(rates)),
        `${round(Math.min(...rates))}–${round(Math.max(...rates))}`,
        median(own.map(({ p50 }) => p50)).toFixed(2),
        median(own.map(({ p99 }) => p99)).toFixed(2),
        median(own.map(({ cpu }) => cpu)).toFixed(1),
        ratio(own.map(({ rate }, at) => rate / (measured(of("grpc-js")[at])?.rate ?? 0))),
        ratio(own.map(({ cpu }, at) => (measured(of("grpc-js")[at])?.cpu ?? Number.NaN) / cpu)),
        own.reduce((sum, { errors }) => sum + errors, 0),
      ];
    }),
  );
  return `| shape | who | calls/s | from–to | p50 | p99 | µs CPU/call | calls/s × grpc-js | CPU: grpc-js ÷ this | errors |
| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
${rows.map((cells) => `| ${cells.join(" | ")} |`).join("\n")}
`;
}
