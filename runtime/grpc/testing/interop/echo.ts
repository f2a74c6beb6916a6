import { create, createFileRegistry, type DescService } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema, file_google_protobuf_wrappers, type StringValue } from "@bufbuild/protobuf/wkt";
import { type CallOptions, Code, ConnectError, type ConnectRouter, type HandlerContext } from "@connectrpc/connect";
import { createServiceClient, type ServiceClient } from "../../../client/client.js";
import { BadRequestSchema } from "../../../options/google/rpc/error_details_pb.js";
import type { NativeTransport } from "../../client-transport.js";

/**
 * A service that is implemented and called here, by grpcio (echo.py) and by grpc-go (go/main.go). Its messages are
 * google.protobuf.StringValue, so that no implementation needs generated code.
 */
const methods = {
  One: {},
  Many: { serverStreaming: true },
  Sum: { clientStreaming: true },
  Chat: { clientStreaming: true, serverStreaming: true },
};
const text = ".google.protobuf.StringValue";
const file = create(FileDescriptorProtoSchema, {
  name: "testing/echo.proto",
  package: "testing",
  syntax: "proto3",
  dependency: [file_google_protobuf_wrappers.proto.name],
  service: [
    {
      name: "Echo",
      method: Object.entries(methods).map(([name, kind]) => ({ name, inputType: text, outputType: text, ...kind })),
    },
  ],
});
const registry = createFileRegistry(file, (name) =>
  name === file_google_protobuf_wrappers.proto.name ? file_google_protobuf_wrappers.proto : undefined,
);
const Echo = registry.getService("testing.Echo") as DescService;

/** The outcomes of the calls. */
export interface Outcome {
  readonly one: readonly [text: string, head: string, bytes: string];
  readonly many: readonly [count: number, last: string];
  readonly sum: string;
  readonly chat: readonly string[];
  readonly error: readonly [code: number, message: string, field: string];
  readonly deadline: number;
  readonly cancelled: number;
  /** The number of waiting calls whose cancellation the server has seen. */
  readonly stopped: string;
}

const long = "x".repeat(20_000);

export const expected: Outcome = {
  one: [long, "yes", Buffer.from([0, 255, 7]).toString("base64")],
  many: [100, `99 ${long}`],
  sum: `20 messages of ${20 * long.length}`,
  chat: ["A", "B", "C"],
  error: [Code.InvalidArgument, "100 % größer", "id"],
  deadline: Code.DeadlineExceeded,
  cancelled: Code.Canceled,
  stopped: "2",
};

/** Registers the service's handlers. */
export function echo(router: ConnectRouter): void {
  let stopped = 0;
  const handlers = {
    async one({ value }: StringValue, { requestHeader, responseHeader, responseTrailer, signal }: HandlerContext) {
      if (value === "fail") {
        const details = { fieldViolations: [{ field: "id", description: "nein, größer" }] };
        throw new ConnectError("100 % größer", Code.InvalidArgument, undefined, [
          { desc: BadRequestSchema, value: details },
        ]);
      }
      if (value === "stopped") return { value: `${stopped}` };
      if (value === "wait") {
        await new Promise((resolve) => signal.addEventListener("abort", resolve));
        stopped++;
      }
      responseHeader.set("x-head", requestHeader.get("x-asked") ?? "");
      responseTrailer.set("x-bytes-bin", requestHeader.get("x-bytes-bin") ?? "");
      return { value };
    },
    async *many({ value }: StringValue) {
      for (let i = 0; i < Number(value); i++) yield { value: `${i} ${long}` };
    },
    async sum(requests: AsyncIterable<StringValue>) {
      let count = 0;
      let length = 0;
      for await (const { value } of requests) {
        count++;
        length += value.length;
      }
      return { value: `${count} messages of ${length}` };
    },
    async *chat(requests: AsyncIterable<StringValue>) {
      for await (const { value } of requests) yield { value: value.toUpperCase() };
    },
  };
  router.service(Echo, handlers as never);
}

interface Methods {
  one(request: { value: string }, options?: CallOptions): Promise<StringValue>;
  many(request: { value: string }): AsyncIterable<StringValue>;
  sum(requests: AsyncIterable<{ value: string }>): Promise<StringValue>;
  chat(requests: AsyncIterable<{ value: string }>): AsyncIterable<StringValue>;
}

/** Makes calls of every kind. */
export async function call(transport: NativeTransport): Promise<Outcome> {
  const client = createServiceClient(Echo, {}, { transport }) as ServiceClient<DescService> as unknown as Methods;
  let head = "";
  let bytes = "";
  const { value } = await client.one(
    { value: long },
    {
      headers: { "x-asked": "yes", "x-bytes-bin": Buffer.from([0, 255, 7]).toString("base64") },
      onHeader: (header) => {
        head = header.get("x-head") ?? "";
      },
      onTrailer: (trailer) => {
        bytes = trailer.get("x-bytes-bin") ?? "";
      },
    },
  );
  const listed = await all(client.many({ value: "100" }));
  const sum = await client.sum(each(...Array.from({ length: 20 }, () => long)));
  // Each request is sent after the response to the one before.
  let answered = (): void => undefined;
  async function* turns() {
    for (const each of ["a", "b", "c"]) {
      const answer = new Promise<void>((resolve) => {
        answered = resolve;
      });
      yield { value: each };
      await answer;
    }
  }
  const chat: string[] = [];
  for await (const each of client.chat(turns())) {
    chat.push(each.value);
    answered();
  }
  const failed = (value: string, options: CallOptions = {}) =>
    client.one({ value }, options).then(() => new ConnectError("answered", Code.Unknown), ConnectError.from);
  const error = await failed("fail");
  const deadline = await failed("wait", { timeoutMs: 300 });
  const cancelled = await failed("wait", { signal: AbortSignal.timeout(300) });
  let stopped = "0";
  for (let i = 0; stopped !== "2" && i < 100; i++) {
    stopped = (await client.one({ value: "stopped" })).value;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return {
    one: [value, head, Buffer.from(bytes, "base64").toString("base64")],
    many: [listed.length, listed.at(-1)?.value ?? ""],
    sum: sum.value,
    chat,
    error: [error.code, error.rawMessage, error.findDetails(BadRequestSchema)[0]?.fieldViolations[0]?.field ?? ""],
    deadline: deadline.code,
    cancelled: cancelled.code,
    stopped,
  };
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const collected: T[] = [];
  for await (const item of items) collected.push(item);
  return collected;
}

async function* each(...values: string[]) {
  for (const value of values) yield { value };
}
