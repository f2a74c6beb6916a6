import { cp, mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const protos = fileURLToPath(new URL("../../proto/", import.meta.url));

/** Writes a project of so many services: each owns two entities, has standard methods and its own, and calls two others. */
export async function writeSystem(root: string, size: number): Promise<void> {
  const files: Record<string, string> = {
    "package.json": `{"name": "load", "private": true, "type": "module", "scaffold": {}}\n`,
    "buf.yaml": "version: v2\nmodules: [{path: proto}]\n",
    // protoc-gen-es alone, one process for all files, on the same files.
    "buf.gen.yaml": [
      "version: v2",
      "clean: true",
      "inputs: [{directory: ., paths: [proto/load]}]",
      "plugins:",
      "  - local: protoc-gen-es",
      "    out: alone",
      "    strategy: all",
      "    opt: [target=ts, import_extension=js]",
      "",
    ].join("\n"),
  };
  for (let number = 0; number < size; number++) files[contractPath(number)] = contract(number, size);
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), content);
  }
  for (const words of ["buf", "google", "scaffold"]) {
    await cp(join(protos, words), join(root, "proto", words), { recursive: true });
  }
}

/** Where a service's contract is. */
export function contractPath(number: number): string {
  return `proto/load/${name(number)}/v1/${name(number)}.proto`;
}

function name(number: number): string {
  return `s${String(number).padStart(3, "0")}`;
}

/** One service's contract, about as long as one of the reference system's. */
export function contract(number: number, size: number): string {
  const own = name(number);
  const callees = [1, 3].map((step) => name((number + step) % size));
  const entities = ["Order", "Customer"];
  return `syntax = "proto3";

package load.${own}.v1;

import "google/api/annotations.proto";
import "google/api/field_behavior.proto";
import "google/protobuf/empty.proto";
import "google/protobuf/field_mask.proto";
import "google/protobuf/timestamp.proto";
import "scaffold/v1/options.proto";

// Takes orders, and knows who gave them.
service Service${number} {
  option (scaffold.v1.service) = {
${entities.map((entity) => `    entities: "${entity}"`).join("\n")}
${callees.map((callee) => `    calls: "load.${callee}.v1.Service${Number(callee.slice(1))}"`).join("\n")}
  };
${entities.map((entity) => standardMethods(entity, own)).join("")}
  // Places an order.
  rpc PlaceOrder(PlaceOrderRequest) returns (PlaceOrderResponse) {
    option (google.api.http) = {post: "/v1/${own}/orders:place" body: "*"};
    option (scaffold.v1.method) = {timeout_ms: 1000 idempotency_key: "request_id"};
  }

  // Tells of an order's changes until it is delivered.
  rpc WatchOrder(WatchOrderRequest) returns (stream WatchOrderResponse);
}
${entities.map(entityMessages).join("")}
// How far an order is.
enum Status {
  STATUS_UNSPECIFIED = 0;
  STATUS_PLACED = 1;
  STATUS_SHIPPED = 2;
  STATUS_CANCELLED = 3;
}

// One line of an order.
message Line {
  string sku = 1;
  int32 quantity = 2;
  int64 price_cents = 3;
}

message PlaceOrderRequest {
  string request_id = 1;
  string customer_id = 2;
  repeated Line lines = 3;
}

message PlaceOrderResponse {
  Order order = 1;
}

message WatchOrderRequest {
  string id = 1;
}

message WatchOrderResponse {
  Status status = 1;
  google.protobuf.Timestamp at = 2;
}
`;
}

function standardMethods(entity: string, own: string): string {
  const path = `/v1/${own}/${entity.toLowerCase()}s`;
  return `
  // Returns one ${entity.toLowerCase()}.
  rpc Get${entity}(Get${entity}Request) returns (${entity}) {
    option idempotency_level = NO_SIDE_EFFECTS;
    option (google.api.http) = {get: "${path}/{id}"};
  }

  // Returns them all, a page at a time.
  rpc List${entity}s(List${entity}sRequest) returns (List${entity}sResponse) {
    option (google.api.http) = {get: "${path}"};
  }

  // Adds one.
  rpc Create${entity}(Create${entity}Request) returns (${entity}) {
    option (google.api.http) = {post: "${path}" body: "${entity.toLowerCase()}"};
    option (scaffold.v1.method) = {timeout_ms: 2000 idempotency_key: "request_id"};
  }

  // Removes one.
  rpc Delete${entity}(Delete${entity}Request) returns (google.protobuf.Empty) {
    option (google.api.http) = {delete: "${path}/{id}"};
  }
`;
}

function entityMessages(entity: string): string {
  return `
// One ${entity.toLowerCase()}.
message ${entity} {
  option (scaffold.v1.entity) = {
    index: {fields: "customer_id"}
    cache: {ttl_s: 30 stale_if_error_s: 3600}
  };

  // Given by the service.
  string id = 1 [(google.api.field_behavior) = IDENTIFIER];
  // Who gave it.
  string customer_id = 2;
  Status status = 3;
  repeated Line lines = 4;
  int64 total_cents = 5;
  map<string, string> labels = 6;
  optional string note = 7;
  google.protobuf.Timestamp create_time = 8 [(google.api.field_behavior) = OUTPUT_ONLY];
}

message Get${entity}Request {
  string id = 1;
}

message List${entity}sRequest {
  int32 page_size = 1;
  string page_token = 2;
}

message List${entity}sResponse {
  repeated ${entity} ${entity.toLowerCase()}s = 1;
  string next_page_token = 2;
}

message Create${entity}Request {
  ${entity} ${entity.toLowerCase()} = 1;
  string request_id = 2;
}

message Delete${entity}Request {
  string id = 1;
}
`;
}
