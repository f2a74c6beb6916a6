import { never, type RuleEntries } from "./rule.js";

/** Rules about names, which must be valid in TypeScript. */
export const names = {
  NAME_TAKEN: {
    holds: "Names in one scope stay different in TypeScript.",
    why: "A field order_id is orderId in TypeScript, a method GetOrder is getOrder, and an enum's values lose the enum's name, so names that differ in Protobuf can become one. Files whose names differ in case only are one file on some systems, and TypeScript refuses them on all.",
    language: "proto",
    bad: `message Order {}

service OrderService {
  rpc GetOrder(Order) returns (Order);
  rpc getOrder(Order) returns (Order);
}`,
    good: `message Order {}

service OrderService {
  rpc GetOrder(Order) returns (Order);
  rpc ReadOrder(Order) returns (Order);
}`,
    ignoring: never("one property cannot have two meanings."),
  },
  NAME_RESERVED: {
    holds: "Each name can be declared in TypeScript.",
    why: "Most reserved words of TypeScript get a $ in generated code, but protoc-gen-es prints a few as they are: any, as, await, infer, keyof, never, readonly, symbol, undefined, unique and unknown as messages and enums, arguments, await and eval as services and extensions. Fields and methods must begin with a letter after underscores are removed, and __proto__ is no property.",
    language: "proto",
    bad: `message symbol {
  string text = 1;
  string _2nd_text = 2;
}`,
    good: `message Symbol {
  string text = 1;
  string second_text = 2;
}`,
    ignoring: never("generated code would not compile."),
  },
} as const satisfies RuleEntries;
