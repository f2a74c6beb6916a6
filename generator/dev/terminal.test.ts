import { expect, test } from "vitest";
import { printProcesses } from "./list.js";
import { Terminal } from "./terminal.js";

function output(isTTY: boolean) {
  const written = { text: "" };
  const write = (text: string | Uint8Array) => {
    written.text += text;
    return true;
  };
  return { isTTY, written, write };
}

test("a table and the ready line, without colour where there is no terminal", () => {
  const out = output(false);
  const terminal = new Terminal("/shop", out, output(false));
  terminal.table([
    { name: "balancer", address: "http://127.0.0.1:8080", pid: 41 },
    { name: "orders", address: "http://127.0.0.1:8083", pid: 4242, log: "/shop/.scaffold/logs/orders.log" },
  ]);
  terminal.databases([{ name: "orders", url: "postgres://postgres:secret@127.0.0.1:8085/orders" }]);
  terminal.ready("http://127.0.0.1:8080");
  expect(out.written.text).toBe(`
name      address                pid   log
balancer  http://127.0.0.1:8080  41
orders    http://127.0.0.1:8083  4242  .scaffold/logs/orders.log

database  url
orders    postgres://postgres:secret@127.0.0.1:8085/orders

ready http://127.0.0.1:8080
`);
});

test("progress on standard error: once it is done, and on a terminal while it lasts", async () => {
  for (const isTTY of [false, true]) {
    const [out, err] = [output(false), output(isTTY)];
    const terminal = new Terminal("/shop", out, err);
    expect(await terminal.step("postgres", async () => 7)).toBe(7);
    await expect(terminal.step("services", () => Promise.reject(new Error("no")))).rejects.toThrow("no");
    terminal.event("orders", { kind: "restarted", how: "SIGKILL", ms: 420 });
    expect(out.written.text).toBe("");
    expect(err.written.text.includes("postgres …")).toBe(isTTY);
    expect(err.written.text.includes("\u001b")).toBe(isTTY);
    if (!isTTY)
      expect(err.written.text).toMatch(/^ {2}postgres {3}\d\.\d s\norders died \(SIGKILL\), restarted in 0\.4 s\n$/);
  }
});

test("processes as a table", () => {
  const running = { service: "orders", pid: 4242, port: 8083, state: "healthy", uptime: 3_725 } as const;
  const gone = { service: "stock", pid: null, port: 8084, state: "restarting", uptime: null } as const;
  expect(printProcesses([running, gone], {})).toBe(`service  pid   port  state       uptime
orders   4242  8083  healthy     1h2m
stock    -     8084  restarting  -
`);
});
