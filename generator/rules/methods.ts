import { may, never, type RuleEntries } from "./rule.js";

/** What must hold of methods and of their HTTP faces. */
export const methods = {
  METHOD_KEY: {
    holds:
      "An idempotency key is a string field in the request of a method without streams; what it ignores are other fields of that request.",
    why: "The key says that two calls are one. It must be in every request, so in a field of its own, outside of any oneof; a stream has no one request. Fields that only say how to answer may differ between the two.",
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
    ignoring: never("callers would rely on a protection that is not there."),
  },
  METHOD_TIMEOUT: {
    holds: "A timeout fits into 32 bits of milliseconds.",
    why: "A timer that is set for longer than 2,147,483,647 ms fires at once, in Node and in browsers.",
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
    holds:
      "What is said of compression has an effect: an algorithm that exists, and a length only where something is compressed.",
    why: "An option that nothing heeds would be taken for one that is heeded.",
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
    ignoring: never("the messages would travel otherwise than the contract says."),
  },
  METHOD_READS: {
    holds: "Reads that may go to a replica belong to a method without side effects, of a service with entities.",
    why: "A replica may be behind, and takes no writes: what is written by what was read there may be wrong, or lost.",
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
    ignoring: never("a handler could write by what is no longer so."),
  },
  METHOD_DEFERRED: {
    holds:
      "A deferred method is a write without streams, with an idempotency key, in a service with entities, and its answer can say that it was accepted.",
    why: "While the database is away, such a call is taken down and answered before it is made. The key makes it happen once; the enum value tells the caller that it has not happened yet.",
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
    ignoring: never("a caller would take for done what is not, or it would be done twice."),
  },
  METHOD_NEAR_STANDARD: {
    holds: "A method named like a standard one, and shaped otherwise, is written by hand.",
    why: "This is a note, not an error: Get, List, BatchGet, Create, Update, Delete and Undelete of an entity work without code if they have the standard shape (AIP-131 to 135, 164, 231), and it says what is in the way.",
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
    ignoring: may("the method is written by hand, and nobody mentions it again."),
  },
  HTTP_RULE: {
    holds: "A google.api.http rule has a verb and a path, and names fields that exist and can stand there.",
    why: "The gateway reads requests by the rule: it must know which fields the path, the query and the body fill, and which of the answer's to send. A path follows the grammar of google/api/http.proto: segments are literals, * or variables, ** stands once, in whichever place, a variable is one plain value and stands once. Of a service without (scaffold.v1.service), whose contract is somebody else's, the finding is a note: the method has no such route, and keeps its others.",
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
    ignoring: may("the method has no such route; it is reached by RPC."),
  },
  HTTP_ROUTE_TAKEN: {
    holds: "A verb and a path mean one method, and not what the gateway answers itself.",
    why: "A request goes to one method. What a path's variable is called does not tell two paths apart: /v1/{id} and /v1/{other=*} are one. /healthz, /readyz and /metrics are the gateway's, and so is what begins with the full name of a service: RPC calls. Of a service without (scaffold.v1.service), whose contract is somebody else's, the finding is a note, and the route is left out.",
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
