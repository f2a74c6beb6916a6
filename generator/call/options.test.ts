import { expect, it } from "vitest";
import { temporaryProject } from "../testing/project.js";
import { parseAddress, runningAddress } from "./address.js";
import { parseHeaders, parseTimeout } from "./options.js";

it("reads lengths of time", () => {
  expect(["500ms", "2s", "0.5s", "1m"].map(parseTimeout)).toEqual([500, 2000, 500, 60_000]);
  for (const text of ["", "5", "-1s", "0s", "1h", "100000m"]) {
    expect(() => parseTimeout(text)).toThrow("write it like 500ms or 2s");
  }
});

it("reads headers as curl does", () => {
  expect([...parseHeaders(["x-a: 1", "X-A:2", "x-time: 12:30"])]).toEqual([
    ["x-a", "1, 2"],
    ["x-time", "12:30"],
  ]);
  for (const line of ["x", ": 1", "x y: 1", "x: a\nb"]) expect(() => parseHeaders([line])).toThrow("is not a header");
});

it("reads addresses", () => {
  expect(parseAddress("127.0.0.1:8080")).toBe("http://127.0.0.1:8080");
  expect(parseAddress("https://api.example.com/base/")).toBe("https://api.example.com/base");
  for (const text of ["ftp://x", "http://", "127.0.0.1:99999"])
    expect(() => parseAddress(text)).toThrow("is not an address");
});

it("finds the running system", async () => {
  const project = temporaryProject();
  expect(await runningAddress(project.root)).toBe("http://127.0.0.1:8080");
  project.write(".scaffold/run.json", `{"url": "http://127.0.0.1:9000"}`);
  expect(await runningAddress(project.root)).toBe("http://127.0.0.1:9000");
  project.write(".scaffold/run.json", `{"url"`);
  expect(await runningAddress(project.root)).toBe("http://127.0.0.1:8080");
});
