import { may, never, type RuleEntries } from "./rule.js";

/** Rules about methods and their HTTP routes. */
export const methods = {
  METHOD_KEY: {
    holds:
      "An idempotency key is a string field in the request of a unary method; the fields that it ignores are others of that request.",
    why: "The key says that two calls are one. Every request must have it, so it is a field outside of any oneof, and a stream, which has many requests, has none. Fields that only say how to respond may differ between the two calls.",
    language: "proto",
    bad: `service OrderService {
  option (scaffold.v1.service) = {};
  rpc PlaceOrder(PlaceOrderRequest) returns (PlaceOrderResponse) {
    option (scaffold.v1.method) = {idempotency_key: "request_id"};
  }
}

message PlaceOrderRequest {}

message PlaceOrderResponse {}`,
    good: `service OrderService {
  option (scaffold.v1.service) = {};
  rpc PlaceOrder(PlaceOrderRequest) returns (PlaceOrderResponse) {
    option (scaffold.v1.method) = {idempotency_key: "request_id"};
  }
}

message PlaceOrderRequest {
  string request_id = 1;
}

message PlaceOrderResponse {}`,
    ignoring: never("callers would rely on a protection that does not exist."),
  },
  METHOD_TIMEOUT: {
    holds: "A timeout fits into 32 bits of milliseconds.",
    why: "A timer for longer than 2,147,483,647 ms fires at once, in Node.js and in browsers.",
    language: "proto",
    bad: `service OrderService {
  option (scaffold.v1.service) = {};
  rpc WatchOrder(WatchOrderRequest) returns (stream WatchOrderResponse) {
    option (scaffold.v1.method) = {timeout_ms: 4000000000};
  }
}

message WatchOrderRequest {}

message WatchOrderResponse {}`,
    good: `service OrderService {
  option (scaffold.v1.service) = {};
  // A stream without timeout_ms has no bound.
  rpc WatchOrder(WatchOrderRequest) returns (stream WatchOrderResponse);
}

message WatchOrderRequest {}

message WatchOrderResponse {}`,
    ignoring: never("every call of the method would fail."),
  },
  METHOD_COMPRESSION: {
    holds: "Compression names an algorithm that exists, and a length only where something is compressed.",
    why: "An option without an effect would be taken for one that has an effect.",
    language: "proto",
    bad: `service OrderService {
  option (scaffold.v1.service) = {};
  rpc ExportOrders(ExportOrdersRequest) returns (stream ExportOrdersResponse) {
    option (scaffold.v1.method) = {compression: {algorithm: COMPRESSION_ALGORITHM_IDENTITY min_bytes: 1024}};
  }
}

message ExportOrdersRequest {}

message ExportOrdersResponse {}`,
    good: `service OrderService {
  option (scaffold.v1.service) = {};
  rpc ExportOrders(ExportOrdersRequest) returns (stream ExportOrdersResponse) {
    option (scaffold.v1.method) = {compression: {algorithm: COMPRESSION_ALGORITHM_GZIP min_bytes: 1024}};
  }
}

message ExportOrdersRequest {}

message ExportOrdersResponse {}`,
    ignoring: never("messages would be compressed otherwise than the contract says."),
  },
  METHOD_READS: {
    holds: "Only a method without side effects, of a service with entities, may read from replicas.",
    why: "A replica may lag, and accepts no writes. A write that depends on such a read may be wrong or lost.",
    language: "proto",
    bad: `service OrderService {
  option (scaffold.v1.service) = {entities: "Order"};
  rpc CloseOrder(CloseOrderRequest) returns (Order) {
    option (scaffold.v1.method) = {reads: READS_REPLICA};
  }
}

message Order {
  option (scaffold.v1.entity) = {};
  string id = 1 [(google.api.field_behavior) = IDENTIFIER];
}

message CloseOrderRequest {
  string id = 1;
}`,
    good: `service OrderService {
  option (scaffold.v1.service) = {entities: "Order"};
  rpc GetOrder(GetOrderRequest) returns (Order) {
    option idempotency_level = NO_SIDE_EFFECTS;
    option (scaffold.v1.method) = {reads: READS_REPLICA};
  }
}

message Order {
  option (scaffold.v1.entity) = {};
  string id = 1 [(google.api.field_behavior) = IDENTIFIER];
}

message GetOrderRequest {
  string id = 1;
}`,
    ignoring: never("a handler could write what is based on outdated rows."),
  },
  METHOD_DEFERRED: {
    holds:
      "A deferred method is a unary write with an idempotency key, of a service with entities, whose response can say that the write was accepted.",
    why: "While the database is down, such a call is stored and answered before it is applied. The key makes it take effect once; the enum value tells the caller that it has not taken effect yet.",
    language: "proto",
    bad: `service OrderService {
  option (scaffold.v1.service) = {entities: "Order"};
  rpc PlaceOrder(PlaceOrderRequest) returns (Order) {
    option (scaffold.v1.method) = {deferred: {field: "state" value: "ACCEPTED"}};
  }
}

enum OrderState {
  ORDER_STATE_UNSPECIFIED = 0;
  ACCEPTED = 1;
}

message Order {
  option (scaffold.v1.entity) = {};
  string id = 1 [(google.api.field_behavior) = IDENTIFIER];
  OrderState state = 2;
}

message PlaceOrderRequest {
  string request_id = 1;
}`,
    good: `service OrderService {
  option (scaffold.v1.service) = {entities: "Order"};
  rpc PlaceOrder(PlaceOrderRequest) returns (Order) {
    option (scaffold.v1.method) = {
      idempotency_key: "request_id"
      deferred: {field: "state" value: "ACCEPTED"}
    };
  }
}

enum OrderState {
  ORDER_STATE_UNSPECIFIED = 0;
  ACCEPTED = 1;
}

message Order {
  option (scaffold.v1.entity) = {};
  string id = 1 [(google.api.field_behavior) = IDENTIFIER];
  OrderState state = 2;
}

message PlaceOrderRequest {
  string request_id = 1;
}`,
    ignoring: never("callers would take a write for applied that is not, or it would be applied twice."),
  },
  METHOD_NEAR_STANDARD: {
    holds: "A method with the name of a standard method and another shape needs a handler.",
    why: "This is a note, not an error. Get, List, BatchGet, Create, Update, Delete and Undelete of an entity need no handler if they have the standard shape (AIP-131 to 135, 164, 231). The note names the difference.",
    language: "proto",
    bad: `service OrderService {
  option (scaffold.v1.service) = {entities: "Order"};
  rpc GetOrder(GetOrderRequest) returns (GetOrderResponse);
}

message Order {
  option (scaffold.v1.entity) = {};
  string id = 1 [(google.api.field_behavior) = IDENTIFIER];
}

message GetOrderRequest {
  string id = 1;
}

message GetOrderResponse {
  Order order = 1;
}`,
    good: `service OrderService {
  option (scaffold.v1.service) = {entities: "Order"};
  rpc GetOrder(GetOrderRequest) returns (Order);
}

message Order {
  option (scaffold.v1.entity) = {};
  string id = 1 [(google.api.field_behavior) = IDENTIFIER];
}

message GetOrderRequest {
  string id = 1;
}`,
    ignoring: may("the method needs a handler, and no further note appears."),
  },
  HTTP_RULE: {
    holds: "A google.api.http rule has a verb and a path, and names fields that exist and can be used there.",
    why: "The gateway reads requests by the rule: it must know which fields the path, the query and the body set, and which field of the response to send. A path follows the grammar of google/api/http.proto: segments are literals, * or variables, ** stands at most once, and a variable is one scalar that stands once. For a service without (scaffold.v1.service), whose contract belongs to others, the finding is a note: the method lacks this route and keeps its other ones.",
    language: "proto",
    bad: `service OrderService {
  option (scaffold.v1.service) = {};
  rpc CancelOrder(CancelOrderRequest) returns (CancelOrderResponse) {
    option (google.api.http) = {post: "/v1/orders/{order_id}:cancel" body: "*"};
  }
}

message CancelOrderRequest {
  string id = 1;
}

message CancelOrderResponse {}`,
    good: `service OrderService {
  option (scaffold.v1.service) = {};
  rpc CancelOrder(CancelOrderRequest) returns (CancelOrderResponse) {
    option (google.api.http) = {post: "/v1/orders/{id}:cancel" body: "*"};
  }
}

message CancelOrderRequest {
  string id = 1;
}

message CancelOrderResponse {}`,
    ignoring: may("the method lacks this route; it is reachable over RPC."),
  },
  HTTP_ROUTE_TAKEN: {
    holds: "A verb and a path lead to one method, and not to the gateway's own pages.",
    why: "A request goes to one method. Names of variables do not distinguish paths: /v1/{id} and /v1/{other=*} are one. /healthz, /readyz and /metrics are the gateway's own, and paths that begin with the full name of a service are RPC calls. For a service without (scaffold.v1.service), whose contract belongs to others, the finding is a note, and the route is left out.",
    language: "proto",
    bad: `service OrderService {
  option (scaffold.v1.service) = {};
  rpc GetOrder(OrderRequest) returns (OrderResponse) {
    option (google.api.http) = {get: "/v1/orders/{id}"};
  }
  rpc FindOrder(OrderRequest) returns (OrderResponse) {
    option (google.api.http) = {get: "/v1/orders/{name}"};
  }
}

message OrderRequest {
  string id = 1;
  string name = 2;
}

message OrderResponse {}`,
    good: `service OrderService {
  option (scaffold.v1.service) = {};
  rpc GetOrder(OrderRequest) returns (OrderResponse) {
    option (google.api.http) = {get: "/v1/orders/{id}"};
  }
  rpc FindOrder(OrderRequest) returns (OrderResponse) {
    option (google.api.http) = {get: "/v1/orders:find"};
  }
}

message OrderRequest {
  string id = 1;
  string name = 2;
}

message OrderResponse {}`,
    ignoring: never("the gateway could not tell which method is meant."),
  },
} as const satisfies RuleEntries;
