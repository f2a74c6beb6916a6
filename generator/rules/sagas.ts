import { may, never, type RuleEntries } from "./rule.js";

/** A contract with one saga over a service of another package. */
function contract(steps: string, key = `idempotency_key: "request_id"`): string {
  return `service OrderService {
  option (scaffold.v1.service) = {entities: "Order" calls: "stock.v1.StockService"};
  rpc PlaceOrder(PlaceOrderRequest) returns (Order) {
    option (scaffold.v1.method) = {
      ${key}
      saga: {
        ${steps}
      }
    };
  }
}

message Order {
  option (scaffold.v1.entity) = {};
  string id = 1 [(google.api.field_behavior) = IDENTIFIER];
}

message PlaceOrderRequest {
  string request_id = 1;
}`;
}

const good = `steps: {
          name: "reserve"
          // ReserveStockRequest {string request_id = 1; string order_id = 2;}, idempotency_key: "request_id"
          call: "stock.v1.StockService.ReserveStock"
          // ReleaseStockRequest {string request_id = 1; string order_id = 2;}, idempotency_key: "request_id"
          compensate: "stock.v1.StockService.ReleaseStock"
        }`;

/** A contract with a saga over a service whose counters callers may set while it runs. */
const counted = (rules: string) => `service StockService {
  option (scaffold.v1.service) = {entities: "Stock"};
  // A step of a saga; ReleaseStock compensates it.
  rpc ReserveStock(StockRequest) returns (StockResponse) {
    option (scaffold.v1.method) = {idempotency_key: "request_id"};
  }
  rpc ReleaseStock(StockRequest) returns (StockResponse) {
    option (scaffold.v1.method) = {idempotency_key: "request_id"};
  }
  rpc UpdateStock(UpdateStockRequest) returns (Stock);
}

message Stock {
  option (scaffold.v1.entity) = {};${rules}
  string id = 1 [(google.api.field_behavior) = IDENTIFIER];
  int32 available = 2;
  int32 reserved = 3 [(google.api.field_behavior) = OUTPUT_ONLY];
}

message StockRequest {
  string request_id = 1;
}

message StockResponse {}

message UpdateStockRequest {
  Stock stock = 1;
  google.protobuf.FieldMask update_mask = 2;
}`;

/** Rules about sagas. */
export const sagas = {
  SAGA_METHOD: {
    holds:
      "A saga is started by a unary method with side effects and an idempotency key, of a service with entities. It has steps, and a retention within limits.",
    why: "The saga is stored in the service's own database, beside what the method writes there. The key makes a repeated call the same saga.",
    language: "proto",
    bad: contract(good, "timeout_ms: 5000"),
    good: contract(good),
    ignoring: never("a repeated call would do everything twice."),
  },
  SAGA_STEP: {
    holds:
      "A step has a name of its own, and calls a unary method with an idempotency key, of a service that may be called.",
    why: "An attempt without a response is repeated, by this process or another one. The key, made of the saga's id and the step's name, makes the step take effect once.",
    language: "proto",
    bad: contract(
      good
        .replace("stock.v1.StockService.ReserveStock", "stock.v1.StockService.CountStock")
        .replace(/\/\/ ReserveStockRequest .*/, "// CountStock has no idempotency_key."),
    ),
    good: contract(good),
    ignoring: never("a step that was attempted twice would take effect twice."),
  },
  SAGA_COMPENSATION: {
    holds:
      "A step is compensated by a unary method of the same service, with an idempotency key, whose request can be built from the step's request and key.",
    why: "A step that timed out has no response, and may have taken effect. So the compensation has the step's request and key, and no id from a response. A compensation that arrives before its step leaves a tombstone under the key, which only the same service can check.",
    language: "proto",
    bad: contract(
      good
        .replace("stock.v1.StockService.ReleaseStock", "stock.v1.StockService.ReturnGoods")
        .replace(
          /\/\/ ReleaseStockRequest .*/,
          "// ReturnGoodsRequest {string request_id = 1; string reservation_id = 2;}",
        ),
    ),
    good: contract(good),
    ignoring: never("a step could take effect that cannot be undone."),
  },
  SAGA_OVERFLOW: {
    holds: "A number that callers may set, in a service that a saga calls and compensates, has an upper bound.",
    why: "A step takes from a count, and its compensation adds to it again. If a caller sets the count to the largest number of its type in between, the addition fails forever, and the saga never ends. What a step takes belongs into the bound as well: a rule over both fields holds before and after it. A rule that only mentions the number, or bounds it from below, is no upper bound. The finding is a note, because the contract does not say which numbers a method adds to.",
    language: "proto",
    bad: counted(""),
    good: counted(`
  option (buf.validate.message).cel = {
    id: "stock.sum"
    message: "available and reserved must be at most 1000000 together"
    expression: "this.available + this.reserved <= 1000000"
  };`),
    ignoring: may("no further note appears."),
  },
} as const satisfies RuleEntries;
