import { never, type RuleEntries } from "./rule.js";

/** What must hold of events, and of who publishes and consumes them. */
export const events = {
  EVENT_TOPIC: {
    holds: "An event has a topic of its own, with a name, a size and a time that every broker takes.",
    why: "A topic holds events of one type, so that its consumers know what they read. Brokers differ in what they allow; what is allowed here all of them take.",
    language: "proto",
    bad: `message OrderPlaced {
  option (scaffold.v1.event) = {topic: "Orders Placed"};
  string order_id = 1;
}`,
    good: `message OrderPlaced {
  option (scaffold.v1.event) = {topic: "orders.placed"};
  string order_id = 1;
}`,
    ignoring: never("nobody could publish or consume it."),
  },
  EVENT_KEY: {
    holds: "An event is ordered by a string, a whole number or a bool of its own.",
    why: "Events with the same key are handled one after the other, so the key must be one value, written in one way. A field in a oneof may be absent, and floating point has several zeros.",
    language: "proto",
    bad: `message OrderPlaced {
  option (scaffold.v1.event) = {key: "order"};
  string order_id = 1;
}`,
    good: `message OrderPlaced {
  option (scaffold.v1.event) = {key: "order_id"};
  string order_id = 1;
}`,
    ignoring: never("events would be handled in another order than they happened in."),
  },
  EVENT_UNDECLARED: {
    holds: "What is published or consumed is an event.",
    why: "The event's option says its topic, its key and how long it is kept; without it there is nowhere to publish it.",
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
    holds: "An event has one service that publishes it, and this system runs that service.",
    why: "An event tells what happened to its publisher's data, in the transaction in which it happened, and is replayed from the publisher's database. Two publishers would be two sources with one name.",
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
    ignoring: never("replay would have two origins, or none."),
  },
  EVENT_QUEUE: {
    holds: "A queue has one service that consumes it.",
    why: "A queue is sent from point to point: what it holds is work for one service. Whoever else wants to know of it needs an event that is no queue.",
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
    ignoring: never("each would get every event, as of a topic."),
  },
  EVENT_SUBSCRIPTION: {
    holds: "A service consumes an event once, by a handler of its own, with times and numbers that can be kept.",
    why: "The handler is called after the event's message; two events of one name would share it. What is longer than a timer runs, or more than memory holds, would fail at run time.",
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
