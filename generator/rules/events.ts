import { never, type RuleEntries } from "./rule.js";

/** Rules about events, their publishers and their consumers. */
export const events = {
  EVENT_TOPIC: {
    holds: "An event has a topic of its own, with a name, a size and a retention that every broker accepts.",
    why: "A topic has events of one type, so that its consumers know what they read. Brokers differ in what they accept; the rule allows what all of them accept.",
    language: "proto",
    bad: `message OrderPlaced {
  option (scaffold.v1.event) = {topic: "Orders Placed"};
  string order_id = 1;
}`,
    good: `message OrderPlaced {
  option (scaffold.v1.event) = {topic: "orders.placed"};
  string order_id = 1;
}`,
    ignoring: never("the event could not be published or consumed."),
  },
  EVENT_KEY: {
    holds: "An event's key is one of its fields, a string, an integer or a bool.",
    why: "Events with the same key are handled one after the other, so the key must be one value with one representation. A field in a oneof may be absent, and floating point has several zeros.",
    language: "proto",
    bad: `message OrderPlaced {
  option (scaffold.v1.event) = {key: "order"};
  string order_id = 1;
}`,
    good: `message OrderPlaced {
  option (scaffold.v1.event) = {key: "order_id"};
  string order_id = 1;
}`,
    ignoring: never("events would be handled in another order than they were published in."),
  },
  EVENT_UNDECLARED: {
    holds: "A message that is published or consumed is an event.",
    why: "The option on the message has the topic, the key and the retention. Without it there is no topic to publish to.",
    language: "proto",
    bad: `service OrderService {
  option (scaffold.v1.service) = {consumes: {event: "OrderPlaced"}};
}

message OrderPlaced {
  string order_id = 1;
}`,
    good: `service OrderService {
  option (scaffold.v1.service) = {consumes: {event: "OrderPlaced"}};
}

message OrderPlaced {
  option (scaffold.v1.event) = {key: "order_id"};
  string order_id = 1;
}`,
    ignoring: never("there would be no topic."),
  },
  EVENT_PUBLISHER: {
    holds: "An event has one publishing service, and this system runs it.",
    why: "An event says what happened to its publisher's data. It is written in the same transaction, and replayed from the publisher's database. Two publishers would be two sources with one name.",
    language: "proto",
    bad: `service OrderService {
  rpc PlaceOrder(PlaceOrderRequest) returns (PlaceOrderResponse) {
    option (scaffold.v1.method) = {publishes: "OrderPlaced"};
  }
}

message PlaceOrderRequest {}

message PlaceOrderResponse {}

message OrderPlaced {
  option (scaffold.v1.event) = {key: "order_id"};
  string order_id = 1;
}`,
    good: `service OrderService {
  option (scaffold.v1.service) = {};
  rpc PlaceOrder(PlaceOrderRequest) returns (PlaceOrderResponse) {
    option (scaffold.v1.method) = {publishes: "OrderPlaced"};
  }
}

message PlaceOrderRequest {}

message PlaceOrderResponse {}

message OrderPlaced {
  option (scaffold.v1.event) = {key: "order_id"};
  string order_id = 1;
}`,
    ignoring: never("a replay would have two sources, or none."),
  },
  EVENT_QUEUE: {
    holds: "A queue is consumed by one service.",
    why: "A queue contains work for one service. Other services need an event that is no queue.",
    language: "proto",
    bad: `service MailService {
  option (scaffold.v1.service) = {consumes: {event: "Post.LetterWritten"}};
}

service ArchiveService {
  option (scaffold.v1.service) = {consumes: {event: "Post.LetterWritten"}};
}

message Post {
  message LetterWritten {
    option (scaffold.v1.event) = {queue: true};
    string letter_id = 1;
  }
}`,
    good: `service MailService {
  option (scaffold.v1.service) = {consumes: {event: "Post.LetterWritten"}};
}

message Post {
  message LetterWritten {
    option (scaffold.v1.event) = {queue: true};
    string letter_id = 1;
  }
}`,
    ignoring: never("each service would get every event, as from a topic."),
  },
  EVENT_SUBSCRIPTION: {
    holds: "A service consumes an event once, by a handler of its own, with times and numbers within limits.",
    why: "The handler has the name of the event's message, so two events with one name would share it. A time longer than a timer can run, or a number beyond memory, would fail at run time.",
    language: "proto",
    bad: `service MailService {
  option (scaffold.v1.service) = {
    consumes: {event: "OrderPlaced"}
    consumes: {event: "OrderPlaced" concurrency: 4}
  };
}

message OrderPlaced {
  option (scaffold.v1.event) = {key: "order_id"};
  string order_id = 1;
}`,
    good: `service MailService {
  option (scaffold.v1.service) = {consumes: {event: "OrderPlaced" concurrency: 4}};
}

message OrderPlaced {
  option (scaffold.v1.event) = {key: "order_id"};
  string order_id = 1;
}`,
    ignoring: never("the handlers' type would have one property twice."),
  },
} as const satisfies RuleEntries;
