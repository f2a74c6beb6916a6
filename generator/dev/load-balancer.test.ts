import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { LoadBalancer } from "./load-balancer.js";
import { freePort } from "./ports.js";

interface TestBackend {
  readonly port: number;
  readonly sockets: Socket[];
  isHealthy: boolean;
  healthy(): boolean;
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
  const made: TestBackend = { port, sockets, isHealthy: true, healthy: () => made.isHealthy };
  return made;
}

async function balance(
  ...backends: { port: number; healthy(): boolean }[]
): Promise<{ port: number; balancer: LoadBalancer }> {
  const balancer = new LoadBalancer(backends);
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
  b.isHealthy = false;
  expect(await (await client(port)).closed).toBe("ECONNRESET");
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
