import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Code, ConnectError } from "@connectrpc/connect";
import { expect, test } from "vitest";
import { anyOf } from "../call/error-detail.js";
import { ErrorInfoSchema } from "../options/google/rpc/error_details_pb.js";
import { catalogue } from "./catalogue.js";
import { errorFor, reasonOf } from "./error.js";

const runtime = fileURLToPath(new URL("..", import.meta.url));

const sources = readdirSync(runtime, { recursive: true, encoding: "utf8" })
  .filter((path) => path.endsWith(".ts") && !/node_modules|dist\/|testing\/|\.test\.ts$/.test(path))
  .map((path) => ({ path, text: readFileSync(`${runtime}/${path}`, "utf8") }));

/** Errors that belong outside of the catalogue, and how many each file makes. */
const outside = {
  // Copies of an error that exists, and the one place that makes those of the catalogue.
  "call/answer-text.ts": 2,
  "call/failure.ts": 1,
  "errors/error.ts": 1,
  // What a peer has sent: an HTTP status, and gRPC's.
  "grpc/client-call.ts": 1,
  "grpc/status.ts": 1,
  // Connect's conformance suite wants the error of a method that is not implemented without details.
  "server/routes.ts": 1,
};

test("errors are made by the catalogue, but for copies and what peers send", () => {
  const found = sources.flatMap(({ path, text }) => {
    const count = text.split("new ConnectError(").length - 1;
    return count === 0 ? [] : [[path, count] as const];
  });
  expect(Object.fromEntries(found)).toEqual(outside);
});

/** Errors without a code and a reason, by layer. Before a new one is counted: who gets it, and is there a reason for it? */
const plain = {
  cache: 1,
  call: 1,
  client: 4,
  codec: 23,
  config: 1,
  connect: 1,
  data: 14,
  events: 26,
  gateway: 2,
  grpc: 3,
  http2: 6,
  journal: 5,
  observe: 1,
  saga: 4,
  server: 3,
  service: 5,
};

test("plain errors are counted", () => {
  const found: Record<string, number> = {};
  for (const { path, text } of sources) {
    const count = text.match(/new (?:Error|TypeError|RangeError)\(/g)?.length ?? 0;
    const layer = path.split("/")[0]!;
    if (count > 0) found[layer] = (found[layer] ?? 0) + count;
  }
  expect(found).toEqual(plain);
});

test("every reason is used, and well-formed (AIP-193)", () => {
  const texts = sources.filter(({ path }) => path !== "errors/catalogue.ts").map(({ text }) => text);
  const unused = Object.keys(catalogue).filter((reason) => !texts.some((text) => text.includes(`"${reason}"`)));
  expect(unused).toEqual([]);
  for (const reason of Object.keys(catalogue)) expect(reason).toMatch(/^[A-Z][A-Z0-9_]{0,61}[A-Z0-9]$/);
  expect(Object.keys(catalogue)).toEqual(Object.keys(catalogue).sort());
});

test("an error has its code, its reason, and the details that it was given", () => {
  const cause = new Error("why");
  const other = { type: "acme.Detail", value: new Uint8Array([1]) };
  const error = errorFor("ETAG_MISMATCH", "has changed", { details: [other], cause });
  expect(error).toMatchObject({ code: Code.Aborted, rawMessage: "has changed", cause });
  expect(error.details[0]).toBe(other);
  expect(error.findDetails(ErrorInfoSchema)).toMatchObject([{ reason: "ETAG_MISMATCH", domain: "protoscaffold" }]);
});

test("the reason is read from errors of this process and of peers", () => {
  const made = errorFor("ROW_NOT_FOUND", "no Order");
  expect(reasonOf(made)).toBe("ROW_NOT_FOUND");
  const came = new ConnectError("no Order", Code.NotFound);
  came.details.push(...made.details.map((detail) => ({ type: "google.rpc.ErrorInfo", value: anyOf(detail).value })));
  expect(reasonOf(came)).toBe("ROW_NOT_FOUND");
});

test.each([
  ["another error", new Error("no")],
  ["an error without details", new ConnectError("no", Code.NotFound)],
  ["another domain", withInfo("ROW_NOT_FOUND", "acme.com")],
  ["a reason that is not known", withInfo("FROM_THE_FUTURE", "protoscaffold")],
  ["a name that objects inherit", withInfo("constructor", "protoscaffold")],
])("%s has no reason", (_name, error) => {
  expect(reasonOf(error)).toBeUndefined();
});

function withInfo(reason: string, domain: string): ConnectError {
  return new ConnectError("no", Code.NotFound, undefined, [{ desc: ErrorInfoSchema, value: { reason, domain } }]);
}
