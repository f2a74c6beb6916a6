import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { LoadBalancer, type LoadBalancerOptions } from "./load-balancer.js";
import { freePort } from "./ports.js";

interface TestBackend {
  readonly port: number;
  readonly sockets: Socket[];
  isHealthy: boolean;
  healthy(): boolean;
  /** Takes no more connections. */
  close(): Promise<void>;
}

/** A server that says its letter to whoever connects, and then what it is told, in capitals. */
async function backend(letter: string): Promise<TestBackend> {
  const sockets: Socket[] = [];
  const server: Server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.push(socket);
    socket.on("error", () => {});
    socket.write(letter);
    let text = "";
    socket.on("data", (chunk) => {
      text += chunk;
    });
    socket.on("end", () => socket.end(text.toUpperCase()));
  }).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  onTestFinished(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  const { port } = server.address() as AddressInfo;
  const close = () => {
    for (const socket of sockets) socket.destroy();
    return new Promise<void>((resolve) => server.close(() => resolve()));
  };
  const made: TestBackend = { port, sockets, isHealthy: true, healthy: () => made.isHealthy, close };
  return made;
}

async function balance(
  ...backends: { port: number; healthy(): boolean }[]
): Promise<{ port: number; balancer: LoadBalancer }> {
  return balanceWith({}, ...backends);
}

async function balanceWith(
  options: LoadBalancerOptions,
  ...backends: { port: number; healthy(): boolean }[]
): Promise<{ port: number; balancer: LoadBalancer }> {
  const balancer = new LoadBalancer(backends, options);
  const port = await freePort();
  await balancer.listen(port);
  onTestFinished(() => balancer.destroy());
  return { port, balancer };
}

/** A client's connection, with what it was told so far. */
async function client(port: number) {
  const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  onTestFinished(() => void socket.destroy());
  const told = { text: "" };
  const closed = new Promise<string>((resolve) => {
    socket.once("error", (error: NodeJS.ErrnoException) => resolve(error.code!));
    socket.once("end", () => resolve("end"));
  });
  const first = new Promise<void>((resolve) => socket.once("data", () => resolve()));
  socket.on("data", (chunk) => {
    told.text += chunk;
  });
  await Promise.race([first, closed]);
  return { socket, told, closed };
}

test("takes the backend with the fewest connections, also for many at once", async () => {
  const [a, b] = [await backend("a"), await backend("b")];
  const { port } = await balance(a, b);
  const clients = await Promise.all(Array.from({ length: 10 }, () => client(port)));
  expect([a.sockets.length, b.sockets.length]).toEqual([5, 5]);
  const closing = clients.filter(({ told }) => told.text === "a");
  for (const { socket, closed } of closing) {
    socket.end();
    await closed;
  }
  expect((await client(port)).told.text).toBe("a");
});

test("leaves out backends that are not healthy", async () => {
  const [a, b] = [await backend("a"), await backend("b")];
  const { port } = await balance(a, b);
  a.isHealthy = false;
  const clients = await Promise.all(Array.from({ length: 3 }, () => client(port)));
  expect(clients.map(({ told }) => told.text)).toEqual(["b", "b", "b"]);
});

test("tries the next backend when one refuses, and resets the connection when none is left", async () => {
  const refusing = { port: await freePort(), healthy: () => true };
  const b = await backend("b");
  const { port } = await balance(refusing, b);
  expect((await client(port)).told.text).toBe("b");
  // It failed its health check, but the one that passes it refuses.
  b.isHealthy = false;
  expect((await client(port)).told.text).toBe("b");
  await b.close();
  expect(await (await client(port)).closed).toBe("ECONNRESET");
});

test("tries all backends, and says so once, when every one fails its health check", async () => {
  const said: string[] = [];
  const [a, b] = [await backend("a"), await backend("b")];
  const { port } = await balanceWith({ report: (message) => said.push(message) }, a, b);
  a.isHealthy = b.isHealthy = false;
  const clients = await Promise.all(Array.from({ length: 4 }, () => client(port)));
  expect(clients.map(({ told }) => told.text).sort()).toEqual(["a", "a", "b", "b"]);
  a.isHealthy = true;
  expect((await client(port)).told.text).toBe("a");
  expect(said).toEqual([
    "every backend fails its health check: connections go to all of them, as if none did",
    "a backend passes its health check again",
  ]);
});

/** Waits until the other side has not only ended, but is closed: then it takes nothing any more. */
function gone(socket: Socket): Promise<void> {
  socket.on("error", () => {});
  const timer = setInterval(() => socket.readableEnded && socket.writable && socket.write("."), 5);
  return new Promise((resolve) =>
    socket.once("close", () => {
      clearInterval(timer);
      resolve();
    }),
  );
}

test("closes both ends of connections that are silent for too long, however they stand", async () => {
  const a = await backend("a");
  const cases = [
    // Nothing is ever said.
    { limits: { opening: 50 }, act: () => {} },
    // The client has said something, and then nothing more.
    { limits: { open: 50 }, act: (socket: Socket) => void socket.write("x") },
    // The client has ended, and the backend does not answer.
    { limits: { answering: 50 }, act: (socket: Socket) => void socket.end() },
    // The backend has ended, and the client does not.
    { limits: { closing: 50 }, act: (socket: Socket, upstream: Socket) => socket.write("x", () => upstream.end()) },
  ];
  for (const { limits, act } of cases) {
    const { port } = await balanceWith({ limits }, a);
    const { socket } = await client(port);
    const upstream = a.sockets.at(-1)!;
    // It never answers.
    upstream.removeAllListeners("end");
    act(socket, upstream);
    // What has ended itself is closed once the other side is; only then the rest, for what it writes is a sign of life.
    for (const each of limits.closing ? [upstream, socket] : [socket, upstream]) await gone(each);
  }
});

test("has an idle connection make room for a new one, and keeps those in use", async () => {
  const a = await backend("a");
  const { port } = await balanceWith({ maxConnections: 4 }, a);
  const used = await client(port);
  const idle = [await client(port), await client(port), await client(port)];
  for (let n = 0; n < 8; n++) {
    // Its answer shows that what was sent has arrived.
    used.socket.write(".");
    idle.push(await client(port));
    expect(idle.at(-1)!.told.text).toBe("a");
  }
  await Promise.all(idle.slice(0, 8).map(({ closed }) => closed));
  used.socket.end();
  await used.closed;
  expect(used.told.text).toBe("a........");
});

test("passes on the end of one side while the other still answers", async () => {
  const { port } = await balance(await backend("a"));
  const { socket, told, closed } = await client(port);
  socket.end("question");
  expect(await closed).toBe("end");
  expect(told.text).toBe("aQUESTION");
});

test("cuts the client when its backend is cut", async () => {
  const a = await backend("a");
  const { port } = await balance(a);
  const { told, closed } = await client(port);
  a.sockets[0]!.resetAndDestroy();
  await closed;
  expect(told.text).toBe("a");
});

test("lets open connections end by themselves once it takes no more", async () => {
  const { port, balancer } = await balance(await backend("a"));
  const { socket, told, closed } = await client(port);
  balancer.close();
  expect(await (await client(port)).closed).toBe("ECONNREFUSED");
  socket.end("last");
  await closed;
  expect(told.text).toBe("aLAST");
});
