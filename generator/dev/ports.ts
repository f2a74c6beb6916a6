import { createServer } from "node:net";

const FIRST = 10_240;
const SLOTS = (32_768 - FIRST) / 16;

/**
 * Returns the port of the load balancer: `PORT`, or else 8080. 0 is any free one. Throws an Error if the port is invalid or in
 * use.
 */
export async function publicPort(text: string | undefined): Promise<number> {
  if (!text?.trim()) return assertFree(8080);
  const port = Number(text);
  if (!/^\s*\d+\s*$/.test(text) || port > 65535) {
    throw new Error(`PORT is ${JSON.stringify(text)}: it must be a port number from 0 to 65535, such as 8080`);
  }
  return port === 0 ? freePort() : assertFree(port);
}

/**
 * Returns a port for each name: those after `after`, in order, if they are free, so that a restarted system has the same ports; or
 * else any free ones.
 */
export async function choosePorts(after: number, names: readonly string[]): Promise<Map<string, number>> {
  const ports = new Map<string, number>();
  const taken = new Set([after]);
  for (const [index, name] of names.entries()) {
    let port = after + 1 + index;
    while (port > 65535 || taken.has(port) || !(await isFree(port))) port = await freePort();
    taken.add(port);
    ports.set(name, port);
  }
  return ports;
}

/** Returns the error for a port of the load balancer that is in use. */
export function portTaken(port: number): Error {
  return new Error(
    `port ${port} is taken: another process listens on 127.0.0.1:${port}. ` +
      `Stop that one, or choose another port: PORT=${port === 65535 ? 8080 : port + 10} npm start`,
  );
}

async function assertFree(port: number): Promise<number> {
  const error = await tryPort(port);
  if (error?.code === "EACCES") {
    throw new Error(`port ${port} needs more rights than this user has. Choose one above 1023: PORT=8080 npm start`);
  }
  if (error !== undefined) throw portTaken(port);
  return port;
}

async function isFree(port: number): Promise<boolean> {
  return (await tryPort(port)) === undefined;
}

/** Returns the reason why this port of 127.0.0.1 is unavailable. Undefined: it is available. */
function tryPort(port: number): Promise<NodeJS.ErrnoException | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", resolve);
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(undefined)));
  });
}

/**
 * Returns a port of 127.0.0.1 that is free now. It is not reserved, so it is outside of the ephemeral range (from 32768 on Linux,
 * from 49152 elsewhere), from which any port may be taken a moment later.
 */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < 1000; attempt++) {
    // Every 16th, with room for a system's other ports behind it.
    const port = FIRST + 16 * Math.floor(Math.random() * SLOTS);
    if (await isFree(port)) return port;
  }
  throw new Error(`no port between ${FIRST} and ${FIRST + 16 * SLOTS} of 127.0.0.1 is free`);
}
