import { expect, test } from "vitest";
import { buildContract } from "../contract/build.js";
import { plan } from "../plan.js";
import { compile } from "../testing/image.js";
import { temporaryProject } from "../testing/project.js";
import { typeCheck } from "../testing/type-check.js";

test("messages of 5,000 fields, and of 1,200 of every kind, generate code that compiles", async () => {
  await expectToCompile(long());
});

test("an entity with as many columns as a table may have generates code that compiles", async () => {
  await expectToCompile(wide());
});

async function expectToCompile(proto: string): Promise<void> {
  const { root } = temporaryProject({ "long.proto": proto });
  const image = await compile(root);
  const { contract, findings } = buildContract(image);
  expect(findings.filter(({ severity }) => severity === "error")).toEqual([]);
  const files = await plan(contract, image, { generated: "long", package: "@acme/generated" });
  expect(typeCheck(new Map(files.map(({ path, content }) => [path, content])))).toEqual([]);
}

/** With PostgreSQL's 1,600 columns, more than TypeScript compares with those of another table (TS2589). */
function wide(): string {
  const kinds = ["string", "int64", "bool", "double", "bytes", "Kind", "optional int32", "google.protobuf.Timestamp"];
  kinds.push("repeated string", "Part");
  const fields = Array.from({ length: 1599 }, (_, n) => `${kinds[n % kinds.length]} field_${n} = ${n + 2};`);
  return `syntax = "proto3";
package long.v1;
import "google/api/field_behavior.proto";
import "google/protobuf/timestamp.proto";
import "scaffold/v1/options.proto";
service WideService {
  option (scaffold.v1.service) = {entities: "Wide"};
  rpc GetWide(GetWideRequest) returns (Wide);
}
message GetWideRequest { string id = 1; }
message Wide {
  option (scaffold.v1.entity) = {};
  string id = 1 [(google.api.field_behavior) = IDENTIFIER];
  ${fields.join("\n")}
}
message Part { string name = 1; }
enum Kind { KIND_UNSPECIFIED = 0; }
`;
}

/** Messages with more conditions than TypeScript follows in one function (TS2563). */
function long(): string {
  const kinds = ["string", "int64", "bool", "double", "bytes", "Kind", "Optional"];
  const fields = (count: number, line: (kind: string) => string) =>
    Array.from({ length: count }, (_, n) => `${line(kinds[n % kinds.length]!)} field_${n} = ${n + 1};`).join("\n");
  return `syntax = "proto2";
package long.v1;
message Optional { ${fields(5000, (kind) => `optional ${kind}`)} }
message Required { ${fields(1200, (kind) => `required ${kind}`)} }
message Closed { ${fields(1200, () => "optional Kind")} }
message Chosen { oneof choice { ${fields(1200, (kind) => kind)} } }
message Maps { ${fields(1200, (kind) => `map<string, ${kind}>`)} }
enum Kind { ONE = 1; }
`;
}
