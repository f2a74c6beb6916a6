import { createReadStream } from "node:fs";
import { create, type DescMethod, type Message, type Registry } from "@bufbuild/protobuf";
import { readJson } from "@protoscaffold/runtime/codec/protojson/read";
import { missingRequired } from "@protoscaffold/runtime/codec/protojson/required";
import { didYouMean } from "../text/closest.js";
import { documents } from "./documents.js";

/** Yields the request messages of the option `-d`: JSON, `@file`, or `@-` for standard input. */
export async function* readMessages(
  data: readonly string[],
  method: DescMethod,
  registry: Registry,
): AsyncIterable<Message> {
  let count = 0;
  for (const text of data) {
    for await (const document of documents(open(text))) {
      count++;
      let message: Message;
      try {
        message = readJson(method.input, document, { registry });
      } catch (error) {
        throw new Error(`document ${count}: ${explain((error as Error).message, method)}`);
      }
      const missing = missingRequired(method.input, message);
      if (missing !== undefined) throw new Error(`document ${count}: ${missing} is required, and is not set`);
      yield message;
    }
  }
}

/** Returns the request message of a unary request. No data is an empty message. */
export async function readMessage(data: readonly string[], method: DescMethod, registry: Registry): Promise<Message> {
  const found: Message[] = [];
  for await (const message of readMessages(data, method, registry)) found.push(message);
  if (found.length > 1)
    throw new Error(`${method.name} takes one message, but -d has ${found.length}: call it once for each`);
  return found[0] ?? create(method.input);
}

function open(text: string): AsyncIterable<string> | Iterable<string> {
  if (text === "@-") return process.stdin.setEncoding("utf8");
  return text.startsWith("@") ? createReadStream(text.slice(1), "utf8") : [text];
}

function explain(message: string, { input }: DescMethod): string {
  const unknown = /^there is no field "(.*)" in /.exec(message)?.[1];
  const names = input.fields.map(({ name }) => name);
  if (unknown === undefined) return message;
  return `${message}.${didYouMean(unknown, names)} ${input.name} has: ${names.join(", ") || "no fields"}`;
}
