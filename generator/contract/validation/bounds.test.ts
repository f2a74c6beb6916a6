import { expect, test } from "vitest";
import { compile } from "../../testing/image.js";
import { temporaryProject } from "../../testing/project.js";
import { buildContract } from "../build.js";
import { unnamed } from "../services/short-name.js";

/** CEL over a message with `count`, the field that is looked at, and others: what bounds `count`, and what only mentions it. */
const ofMessage: Readonly<Record<"bounds" | "does not", readonly string[]>> = {
  bounds: [
    "this.count <= 1000",
    "this.count < 2147483647",
    "1000 >= this.count",
    "this.count == 7",
    "this.count in [1, 2, 3]",
    "this.count >= 0 && this.count <= 10 * 100",
    "!(this.count > 5)",
    "!(this.count > 5 || this.few > 2)",
    "this.count <= 10 || this.count == 20",
    "!has(this.count) || this.count < 10",
    "this.few == 1 ? this.count < 5 : this.count < 50",
    "this.count > 5 ? false : true",
    "this.count <= 10 ? '' : 'too many'",
    "this.count + this.reserved <= 1000",
    "this.count <= 1000 - this.reserved",
    "int(this.count) + this.reserved < 1000",
    "this.reserved + this.count - this.few <= 1000",
    "this.count <= this.few",
    "0 <= 1000 - this.count",
    "-this.count >= -1000",
  ],
  "does not": [
    "this.count >= 0",
    "this.count != 5",
    "this.count <= 2147483647",
    "!(this.count < 5)",
    "this.count in [1, 2147483647]",
    "!(this.count in [1, 2])",
    "this.count <= 10 || this.few > 1",
    "this.few == 1 ? this.count < 5 : true",
    "this.count < 10 ? '' : this.few == 1 ? '' : 'too many'",
    "this.count <= this.many",
    // What callers may set below 0 lets the other one grow.
    "this.count + this.many <= 1000",
    "this.reserved - this.count <= 1000",
    "this.count % 10 == 0",
    "this.counted <= 10",
    "string(this.count) != 'count <= 10'",
  ],
};
/** Rules of the field itself. */
const ofField: typeof ofMessage = {
  bounds: [
    "int32.lte = 5",
    "int32 = {gte: 1 lt: 5}",
    "int32.const = 5",
    "int32 = {in: [1, 2]}",
    'cel = {id: "x" expression: "this < 10"}',
    'cel_expression = "this == 0 || this < 10"',
  ],
  "does not": [
    "int32.gt = 5",
    "int32 = {gt: 10 lt: 5}",
    "int32.lte = 2147483647",
    "int32.const = 2147483647",
    "int32 = {in: [1, 2147483647]}",
    "int32 = {not_in: [1, 2]}",
    "required = true",
    'cel = {id: "x" expression: "this > 10"}',
  ],
};
const kinds = ["bounds", "does not"] as const;
const rules = kinds.flatMap((kind) => [
  ...ofMessage[kind].map((text) => ({ kind, text, message: text, field: "" })),
  ...ofField[kind].map((text) => ({ kind, text, message: "", field: ` [(buf.validate.field).${text}]` })),
]);

test("what a rule keeps below the largest number is bounded, what it only mentions is not", async () => {
  const { root } = temporaryProject({
    "stock.proto": `syntax = "proto3"; package stock.v1;
      import "buf/validate/validate.proto"; import "google/api/field_behavior.proto";
      import "google/protobuf/field_mask.proto"; import "scaffold/v1/options.proto";
      service StockService {
        option (scaffold.v1.service) = {${rules.map((_, i) => `entities: "S${i}"`).join(" ")}};
        rpc Reserve(ReserveRequest) returns (Done) { option (scaffold.v1.method) = {idempotency_key: "key"}; }
        rpc Release(ReserveRequest) returns (Done) { option (scaffold.v1.method) = {idempotency_key: "key"}; }
        ${rules.map((_, i) => `rpc UpdateS${i}(UpdateS${i}Request) returns (S${i});`).join("\n")}
      }
      message ReserveRequest { string key = 1; }
      message Done {}
      ${rules
        .map(
          ({ message, field }, i) => `message S${i} {
            option (scaffold.v1.entity) = {};
            ${message && `option (buf.validate.message).cel = {id: "x" expression: ${JSON.stringify(message)}};`}
            string id = 1 [(google.api.field_behavior) = IDENTIFIER];
            int32 count = 2${field};
            int32 few = 3 [(buf.validate.field).int32.lte = 100];
            int32 reserved = 4 [(google.api.field_behavior) = OUTPUT_ONLY];
            int32 counted = 5 [(buf.validate.field).int32.lte = 100];
            int32 many = 6;
          }
          message UpdateS${i}Request { S${i} s${i} = 1; google.protobuf.FieldMask update_mask = 2; }`,
        )
        .join("\n")}`,
    "trip.proto": `syntax = "proto3"; package trip.v1;
      import "google/api/field_behavior.proto"; import "scaffold/v1/options.proto"; import "stock.proto";
      service TripService {
        option (scaffold.v1.service) = {entities: "Trip" calls: "stock.v1.StockService"};
        rpc Book(stock.v1.ReserveRequest) returns (Trip) {
          option (scaffold.v1.method) = {idempotency_key: "key" saga: {steps: {
            name: "reserve" call: "stock.v1.StockService.Reserve" compensate: "stock.v1.StockService.Release"}}};
        }
      }
      message Trip { option (scaffold.v1.entity) = {}; string id = 1 [(google.api.field_behavior) = IDENTIFIER]; }`,
  });
  const { findings } = buildContract(await compile(root), unnamed);
  expect(findings.filter(({ rule }) => rule !== "SAGA_OVERFLOW")).toEqual([]);
  const noted = new Set(findings.map(({ message }) => /from (\w+) and UpdateS(\d+)/.exec(message)!.slice(1).join(" ")));
  expect(rules.map(({ text }, i) => `${noted.has(`count ${i}`) ? "does not" : "bounds"}: ${text}`)).toEqual(
    rules.map(({ kind, text }) => `${kind}: ${text}`),
  );
});
