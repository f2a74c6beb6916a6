import { type AddressInfo, createServer } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { choosePorts, publicPort } from "./ports.js";

async function takenPort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
}

test.each(["web", "-1", "65536", "80.5", "0x50"])("PORT=%s is refused", async (text) => {
  await expect(publicPort(text)).rejects.toThrow(`PORT is "${text}": it must be a port number from 0 to 65535`);
});

test("a taken PORT is refused with its number and a way out", async () => {
  const port = await takenPort();
  await expect(publicPort(String(port))).rejects.toThrow(`port ${port} is taken`);
  await expect(publicPort(String(port))).rejects.toThrow(/choose another port: PORT=\d+ npm start/);
});

test("PORT=0 is any free one that no connection going out is given", async () => {
  const ports = await Promise.all(Array.from({ length: 50 }, () => publicPort("0")));
  for (const port of ports) {
    expect(port).toBeGreaterThanOrEqual(10_240);
    expect(port + 15).toBeLessThan(32_768);
  }
});

test("a port that is taken, or that there is not, gives way to a free one", async () => {
  const taken = await takenPort();
  const near = (await choosePorts(taken - 1, ["orders"])).get("orders")!;
  expect(near).not.toBe(taken);
  const last = await choosePorts(65_535, ["a", "b", "c"]);
  expect(new Set(last.values()).size).toBe(3);
  for (const port of last.values()) expect(port).toBeLessThan(65_536);
});
