import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { create } from "@bufbuild/protobuf";
import { type FileDescriptorSet, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { afterAll, beforeAll, expect, test } from "vitest";
import { buildContract } from "../contract/build.js";
import { applyIgnores } from "../contract/findings/ignore.js";
import { compile } from "../testing/image.js";
import { catalogue } from "./catalogue.js";
import { rulesPage } from "./page.js";

const generator = fileURLToPath(new URL("../", import.meta.url));

test("docs/reference/rules.md is what the catalogue says", async () => {
  await expect(rulesPage()).toMatchFileSnapshot(join(generator, "../docs/reference/rules.md"));
});

test("every rule that the sources find is in the catalogue, and the catalogue has no other", async () => {
  const names = await readdir(generator, { recursive: true });
  const sources = names.filter(
    (name) => name.endsWith(".ts") && !/\.test\.ts$|node_modules|dist\/|testdata|^rules\//.test(name),
  );
  const texts = await Promise.all(sources.map((name) => readFile(join(generator, name), "utf8")));
  const families = new Set(Object.keys(catalogue).map((id) => id.split("_")[0]));
  const words = texts.flatMap((text) => text.match(/(?<=["'`])[A-Z]+(?:_[A-Z]+)+(?=["'`])/g) ?? []);
  const found = new Set(words.filter((word) => families.has(word.split("_")[0])));
  expect([...found].sort()).toEqual(Object.keys(catalogue).sort());
});

const prelude = [
  "buf/validate/validate",
  "google/api/annotations",
  "google/api/field_behavior",
  "google/protobuf/empty",
  "google/protobuf/field_mask",
  "scaffold/v1/options",
];
/** A service that the examples of sagas call; it stands in a package of its own. */
const stock = `syntax = "proto3"; package stock.v1; import "scaffold/v1/options.proto";
service StockService {
  option (scaffold.v1.service) = {};
  rpc ReserveStock(ReserveStockRequest) returns (StockResponse) {
    option (scaffold.v1.method) = {idempotency_key: "request_id"};
  }
  rpc ReleaseStock(ReleaseStockRequest) returns (StockResponse) {
    option (scaffold.v1.method) = {idempotency_key: "request_id"};
  }
  rpc ReturnGoods(ReturnGoodsRequest) returns (StockResponse) {
    option (scaffold.v1.method) = {idempotency_key: "request_id"};
  }
  rpc CountStock(CountStockRequest) returns (StockResponse);
}
message ReserveStockRequest { string request_id = 1; string order_id = 2; }
message ReleaseStockRequest { string request_id = 1; string order_id = 2; }
message ReturnGoodsRequest { string request_id = 1; string reservation_id = 2; }
message CountStockRequest {}
message StockResponse {}
`;
/** A service whose saga calls that of an example, where the rule is about such a saga. */
const callers: Readonly<Record<string, (kind: string) => string>> = {
  SAGA_OVERFLOW: (kind) => `syntax = "proto3"; package ${kind}_caller.v1; import "scaffold/v1/options.proto";
import "google/api/field_behavior.proto"; import "SAGA_OVERFLOW.${kind}.proto";
service OrderService {
  option (scaffold.v1.service) = {entities: "Order" calls: "saga_overflow.${kind}.StockService"};
  rpc PlaceOrder(saga_overflow.${kind}.StockRequest) returns (Order) {
    option (scaffold.v1.method) = {idempotency_key: "request_id" saga: {steps: {name: "reserve"
      call: "saga_overflow.${kind}.StockService.ReserveStock" compensate: "saga_overflow.${kind}.StockService.ReleaseStock"}}};
  }
}
message Order {
  option (scaffold.v1.entity) = {};
  string id = 1 [(google.api.field_behavior) = IDENTIFIER];
}
`,
};
const examples = Object.entries(catalogue).filter(([, { language }]) => language === "proto");
let folder: string;
let image: FileDescriptorSet;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "scaffold-rules-"));
  const imports = prelude.map((name) => `import "${name}.proto";\n`).join("");
  for (const [id, { bad, good }] of examples) {
    for (const [kind, text] of Object.entries({ bad, good })) {
      const head = `syntax = "proto3"; package ${id.toLowerCase()}.${kind}; ${imports.replaceAll("\n", " ")}\n`;
      await writeFile(join(folder, `${id}.${kind}.proto`), `${head}${text}\n`);
      const caller = callers[id]?.(kind);
      if (caller !== undefined) await writeFile(join(folder, `${id}.${kind}.caller.proto`), caller);
    }
  }
  await writeFile(join(folder, "stock.proto"), stock);
  image = await compile(folder);
});

afterAll(() => rm(folder, { recursive: true, force: true }));

test.each(examples)("the examples of %s are bad and good", async (id) => {
  expect(await findings(`${id}.bad.proto`)).toContain(id);
  expect(await findings(`${id}.good.proto`)).toEqual([]);
});

/** The rules that one example breaks, read by itself. */
async function findings(name: string): Promise<string[]> {
  const example = (file: string) => /^(.*\.(?:bad|good))\./.exec(file)?.[1];
  const file = image.file.filter((candidate) => [undefined, example(name)].includes(example(candidate.name)));
  const reading = buildContract(create(FileDescriptorSetSchema, { file }));
  const text = await readFile(join(folder, name), "utf8");
  return applyIgnores(reading.findings, new Map([[name, text]])).map(({ rule }) => rule);
}
