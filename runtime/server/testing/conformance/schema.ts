import { readFileSync } from "node:fs";
import {
  createFileRegistry,
  type DescMessage,
  type DescService,
  type FileRegistry,
  fromBinary,
  type Message,
  type MessageInitShape,
  toBinary,
} from "@bufbuild/protobuf";
import { type Any, AnySchema, anyPack, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";

/** The suite's own messages, read from its files: `CONFORMANCE_IMAGE` is what `buf build` made of them. */
export const registry: FileRegistry = createFileRegistry(
  fromBinary(FileDescriptorSetSchema, readFileSync(process.env.CONFORMANCE_IMAGE as string)),
);

/** A message whose type is known only from an image. */
// biome-ignore lint/suspicious/noExplicitAny: the fields are those of messages that are not generated
export type Dynamic = Message & Record<string, any>;

export function messageType(name: string): DescMessage {
  return registry.getMessage(`connectrpc.conformance.v1.${name}`) as DescMessage;
}

export const conformanceService = registry.getService("connectrpc.conformance.v1.ConformanceService") as DescService;

/** The names of an enum's values, by number. */
export function enumName(name: string, value: number): string {
  return registry.getEnum(`connectrpc.conformance.v1.${name}`)?.value[value]?.name ?? String(value);
}

export function pack(message: Message): Any {
  return anyPack(registry.getMessage(message.$typeName) as DescMessage, message);
}

export function unpack({ typeUrl, value }: Any): Dynamic {
  return fromBinary(registry.getMessage(typeUrl.slice(typeUrl.lastIndexOf("/") + 1)) as DescMessage, value) as Dynamic;
}

/** Messages as the runner sends them: four bytes of length, then the message. */
export async function* readMessages(type: DescMessage): AsyncGenerator<Dynamic> {
  let rest = Buffer.alloc(0);
  for await (const chunk of process.stdin) {
    rest = Buffer.concat([rest, chunk as Buffer]);
    while (rest.length >= 4 && rest.length >= 4 + rest.readUInt32BE(0)) {
      const end = 4 + rest.readUInt32BE(0);
      yield fromBinary(type, rest.subarray(4, end)) as Dynamic;
      rest = rest.subarray(end);
    }
  }
}

export function writeMessage(type: DescMessage, message: Message): void {
  const bytes = toBinary(type, message);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  process.stdout.write(Buffer.concat([length, bytes]));
}

/** Headers as the suite writes them. */
export function toHeaderList(headers: Headers): { name: string; value: string[] }[] {
  return [...headers].map(([name, value]) => ({ name, value: name.endsWith("-bin") ? value.split(", ") : [value] }));
}

export function addHeaders(list: readonly Dynamic[], headers: Headers): void {
  for (const { name, value } of list) for (const each of value) headers.append(name, each);
}

export function details(list: readonly Any[]): { type: string; value: Uint8Array }[] {
  return list.map(({ typeUrl, value }) => ({ type: typeUrl.slice(typeUrl.lastIndexOf("/") + 1), value }));
}

export { AnySchema };
export type Init = MessageInitShape<DescMessage>;
