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
  "errors/error.ts": 1,
  // What a peer has sent.
  "grpc/status.ts": 1,
  // Connect's conformance suite wants the error of a method that is not implemented without details.
  "server/routes.ts": 1,
};

/** How many errors without a reason a file still makes. */
const withoutReason = {
  "call/failure.ts": 2,
  "call/violations.ts": 1,
  "client/failures.ts": 1,
  "client/node-sessions.ts": 2,
  "client/stages/deadline.ts": 1,
  "connect/carried.ts": 1,
  "connect/connect-call.ts": 3,
  "connect/request-bodies.ts": 6,
  "connect/universal.ts": 1,
  "gateway/callers.ts": 1,
  "gateway/hang-up.ts": 2,
  "gateway/misuse.ts": 1,
  "gateway/passthrough/deadline.ts": 1,
  "gateway/passthrough/incomplete.ts": 1,
  "gateway/passthrough/passed-call.ts": 1,
  "gateway/passthrough/reset.ts": 6,
  "gateway/rest/metadata.ts": 1,
  "gateway/rest/plugin.ts": 2,
  "gateway/rest/rest-error.ts": 4,
  "gateway/rest/transcode.ts": 1,
  "gateway/rest/url-fields.ts": 1,
  "gateway/rest/without-body.ts": 1,
  "gateway/upstream.ts": 1,
  "grpc/channel.ts": 2,
  "grpc/client-call.ts": 11,
  "grpc/frame.ts": 6,
  "grpc/incomplete.ts": 2,
  "grpc/server-call.ts": 8,
  "grpc/unpack.ts": 1,
};

test("errors are made by the catalogue, but for copies, what peers send, and those without a reason yet", () => {
  const found = sources.flatMap(({ path, text }) => {
    const count = text.split("new ConnectError(").length - 1;
    return count === 0 ? [] : [[path, count] as const];
  });
  expect(Object.fromEntries(found)).toEqual({ ...outside, ...withoutReason });
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
