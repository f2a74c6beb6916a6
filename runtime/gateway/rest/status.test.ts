import { create, toBinary } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { expect, it } from "vitest";
import { BadRequestSchema } from "../../options/google/rpc/error_details_pb.js";
import { httpError } from "./status.js";
import { typesOf } from "./types.js";

const types = typesOf({ services: [] });
const value = { fieldViolations: [{ field: "id", description: "is empty" }] };
const printed = { "@type": "type.googleapis.com/google.rpc.BadRequest", ...value };

it.each([
  [Code.Canceled, 499],
  [Code.Unknown, 500],
  [Code.InvalidArgument, 400],
  [Code.DeadlineExceeded, 504],
  [Code.NotFound, 404],
  [Code.AlreadyExists, 409],
  [Code.PermissionDenied, 403],
  [Code.ResourceExhausted, 429],
  [Code.FailedPrecondition, 400],
  [Code.Aborted, 409],
  [Code.OutOfRange, 400],
  [Code.Unimplemented, 501],
  [Code.Internal, 500],
  [Code.Unavailable, 503],
  [Code.DataLoss, 500],
  [Code.Unauthenticated, 401],
])("code %i is HTTP status %i", (code, status) => {
  expect(httpError(new ConnectError("why", code), types)).toEqual({
    status,
    body: { code, message: "why", details: [] },
  });
});

it("prints details as ProtoJSON, whether they were made here or came from a service", () => {
  const made = new ConnectError("no", Code.InvalidArgument, undefined, [{ desc: BadRequestSchema, value }]);
  expect(httpError(made, types).body.details).toEqual([printed]);

  const came = new ConnectError("no", Code.InvalidArgument);
  const bytes = toBinary(BadRequestSchema, create(BadRequestSchema, value));
  came.details = [{ type: "google.rpc.BadRequest", value: bytes }];
  expect(httpError(came, types).body.details).toEqual([printed]);
});

it("shows a detail of an unknown type as it came", () => {
  const error = new ConnectError("no", Code.Aborted);
  error.details = [{ type: "acme.Detail", value: new Uint8Array([1, 2]) }];
  expect(httpError(error, types).body.details).toEqual([{ "@type": "type.googleapis.com/acme.Detail", value: "AQI=" }]);
});
