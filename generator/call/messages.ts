import { createReadStream } from "node:fs";
import { type DescMethod, fromJson, type JsonValue, type Message, type Registry } from "@bufbuild/protobuf";
import { didYouMean } from "../closest.js";
import { documents } from "./documents.js";

/** The request messages in what the user gave with `-d`: JSON, or `@file`, or `@-` for standard input. */
export async function* readMessages(
  data: readonly string[],
  method: DescMethod,
  registry: Registry,
): AsyncIterable<Message> {
  for (const text of data) {
    for await (const document of documents(open(text))) {
      try {
        yield fromJson(method.input, document as JsonValue, { registry });
      } catch (error) {
        throw new Error(explain((error as Error).message, method));
      }
    }
  }
}

/** The one request message of a method that takes one. No data at all is an empty message. */
export async function readMessage(data: readonly string[], method: DescMethod, registry: Registry): Promise<Message> {
  const found: Message[] = [];
  for await (const message of readMessages(data, method, registry)) found.push(message);
  if (found.length > 1)
    throw new Error(`${method.name} takes one message, but -d has ${found.length}: call it once for each`);
  return found[0] ?? fromJson(method.input, {});
}

function open(text: string): AsyncIterable<string> | Iterable<string> {
  if (text === "@-") return process.stdin.setEncoding("utf8");
  return text.startsWith("@") ? createReadStream(text.slice(1), "utf8") : [text];
}

function explain(message: string, { input }: DescMethod): string {
  const unknown = /key "(.*)" is unknown/.exec(message)?.[1];
  const names = input.fields.map(({ name }) => name);
  if (unknown === undefined) return message;
  return `${message}.${didYouMean(unknown, names)} ${input.name} has: ${names.join(", ") || "no fields"}`;
}
