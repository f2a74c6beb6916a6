import { fork } from "node:child_process";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { create, fromBinary } from "@bufbuild/protobuf";
import { CodeGeneratorRequestSchema, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { protocGenEs } from "./printing.js";

/** What protoc-gen-es is asked for. Plain data, so that another process can be given it. */
export interface MessagesRequest {
  /** A google.protobuf.FileDescriptorSet. */
  readonly descriptors: Uint8Array;
  /** The files in it that are to be printed. */
  readonly fileToGenerate: readonly string[];
  readonly parameter: string;
}

export interface PrintedFile {
  readonly name: string;
  readonly content: string;
}

/** Fewer files than this are printed before a process has started. */
const WORTH_A_PROCESS = 25;

/** `_pb`, as protoc-gen-es prints it: of a large contract in a process of its own, while the rest is printed here. */
export function printMessages(request: MessagesRequest): Promise<readonly PrintedFile[]> {
  return request.fileToGenerate.length < WORTH_A_PROCESS
    ? Promise.resolve(printMessagesHere(request))
    : printMessagesAside(request);
}

export function printMessagesHere({ descriptors, fileToGenerate, parameter }: MessagesRequest): PrintedFile[] {
  const { file: protoFile } = fromBinary(FileDescriptorSetSchema, descriptors);
  const request = create(CodeGeneratorRequestSchema, { fileToGenerate: [...fileToGenerate], protoFile, parameter });
  return protocGenEs.run(request).file.map(({ name, content }) => ({ name, content }));
}

/** The same, in a process of its own. */
export function printMessagesAside(request: MessagesRequest): Promise<readonly PrintedFile[]> {
  const source = import.meta.url.endsWith(".ts");
  const program = fileURLToPath(new URL(`./messages-process.${source ? "ts" : "js"}`, import.meta.url));
  const child = fork(program, [], {
    serialization: "advanced",
    stdio: ["ignore", "ignore", "pipe", "ipc"],
    // In a checkout it runs from its source.
    execArgv: source ? ["--import", import.meta.resolve("tsx")] : [],
  });
  const printed = new Promise<readonly PrintedFile[]>((resolve, reject) => {
    child.once("message", (files) => resolve(files as readonly PrintedFile[]));
    child.once("error", reject);
    const said = text(child.stderr!);
    child.once("exit", async (code, signal) =>
      reject(new Error(`protoc-gen-es ended (${signal ?? code}): ${await said}`)),
    );
  });
  child.send(request, () => {});
  return printed;
}
