import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { fromBinary, type MessageInitShape } from "@bufbuild/protobuf";
import { type FileDescriptorProto, FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { Code, type ConnectRouter, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { OrderService } from "@shop/generated/shop/orders/v1/orders_pb.js";
import { UserService } from "@shop/generated/shop/users/v1/users_pb.js";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ServerReflection, type ServerReflectionRequestSchema } from "../options/grpc/reflection/v1/reflection_pb.js";
import { ServerReflection as ServerReflectionAlpha } from "../options/grpc/reflection/v1alpha/reflection_pb.js";
import { rpcTransportOfSuite } from "../testing/rpc-transport.js";
import { createServerAdapter } from "./adapter.js";
import { type Listener, listen } from "./listen.js";
import { reflectionRoutes } from "./reflection.js";

let listener: Listener;
let baseUrl: string;

beforeAll(async () => {
  const routes = (router: ConnectRouter) => {
    reflectionRoutes([OrderService, UserService])(router);
    router.service(UserService, { getUser: ({ id }) => ({ id, displayName: "Ada" }) });
  };
  const handlers = createServerAdapter({ transport: rpcTransportOfSuite, routes });
  listener = await listen({ ...handlers, host: "127.0.0.1", port: 0 });
  baseUrl = `http://127.0.0.1:${listener.port}`;
});
afterAll(() => listener.drain(0));

type Question = NonNullable<MessageInitShape<typeof ServerReflectionRequestSchema>["messageRequest"]>;

async function ask(...questions: Question[]) {
  const client = createClient(ServerReflection, createGrpcTransport({ baseUrl }));
  async function* requests() {
    for (const messageRequest of questions) yield { host: "here", messageRequest };
  }
  const answers = [];
  for await (const { messageResponse } of client.serverReflectionInfo(requests())) answers.push(messageResponse);
  return answers;
}

async function filesOf(...questions: Question[]): Promise<FileDescriptorProto[][]> {
  return (await ask(...questions)).map((answer) =>
    answer.case === "fileDescriptorResponse"
      ? answer.value.fileDescriptorProto.map((bytes) => fromBinary(FileDescriptorProtoSchema, bytes))
      : [],
  );
}

test("lists the services, those of reflection among them", async () => {
  const [answer] = await ask({ case: "listServices", value: "" });
  expect(answer?.case === "listServicesResponse" && answer.value.service.map(({ name }) => name)).toEqual([
    "grpc.reflection.v1.ServerReflection",
    "grpc.reflection.v1alpha.ServerReflection",
    "shop.orders.v1.OrderService",
    "shop.users.v1.UserService",
  ]);
});

test("a file comes with all that it imports, and an import comes once in a stream", async () => {
  const [orders = [], users = []] = await filesOf(
    { case: "fileContainingSymbol", value: "shop.orders.v1.OrderService" },
    { case: "fileByFilename", value: "shop/users/v1/users.proto" },
  );
  const names = orders.map((file) => file.name);
  expect(names[0]).toBe("shop/orders/v1/orders.proto");
  expect(names).toEqual(expect.arrayContaining(orders.flatMap((file) => file.dependency)));
  expect(names).toContain("shop/payments/v1/payments.proto");
  expect(users.map((file) => file.name)).toEqual(["shop/users/v1/users.proto"]);
});

test.each([
  "shop.users.v1.User",
  "shop.users.v1.User.email",
  "shop.users.v1.UserService.GetUser",
  "shop.orders.v1.OrderState",
  "shop.orders.v1.ORDER_STATE_PENDING",
  "scaffold.v1.method",
])("knows the symbol %s", async (value) => {
  expect((await filesOf({ case: "fileContainingSymbol", value }))[0]).not.toHaveLength(0);
});

test("knows extensions", async () => {
  const containingType = "google.protobuf.MethodOptions";
  const [numbers, file] = await ask(
    { case: "allExtensionNumbersOfType", value: containingType },
    { case: "fileContainingExtension", value: { containingType, extensionNumber: 72295728 } },
  );
  expect(numbers?.case === "allExtensionNumbersResponse" && numbers.value.extensionNumber).toEqual([270100, 72295728]);
  expect(file?.case).toBe("fileDescriptorResponse");
});

test("what is not known is said to be so, and the stream goes on", async () => {
  const answers = await ask(
    { case: "fileByFilename", value: "no.proto" },
    { case: "fileContainingSymbol", value: "no.Symbol" },
    { case: "fileContainingExtension", value: { containingType: "shop.users.v1.User", extensionNumber: 7 } },
    { case: "allExtensionNumbersOfType", value: "no.Type" },
    { case: undefined },
  );
  expect(
    answers.map((answer) => answer.case === "errorResponse" && [answer.value.errorCode, answer.value.errorMessage]),
  ).toEqual([
    [Code.NotFound, "file no.proto is not known here"],
    [Code.NotFound, "symbol no.Symbol is not known here"],
    [Code.NotFound, "extension 7 of shop.users.v1.User is not known here"],
    [Code.NotFound, "type no.Type is not known here"],
    [Code.InvalidArgument, "the request asks for nothing that is known here"],
  ]);
});

test("v1alpha answers the same", async () => {
  const client = createClient(ServerReflectionAlpha, createGrpcTransport({ baseUrl }));
  async function* requests() {
    yield { messageRequest: { case: "fileContainingSymbol", value: "shop.users.v1.User" } as const };
  }
  for await (const { messageResponse } of client.serverReflectionInfo(requests())) {
    expect(messageResponse.case).toBe("fileDescriptorResponse");
  }
});

describe("buf curl, which has nothing but reflection to go by,", () => {
  const curl = async (...args: string[]) =>
    (
      await promisify(execFile)("node_modules/.bin/buf", [
        "curl",
        "--http2-prior-knowledge",
        "--protocol",
        "grpc",
        ...args,
      ])
    ).stdout;

  test.each(["grpc-v1", "grpc-v1alpha"])("lists and calls over %s", async (protocol) => {
    const reflect = ["--reflect-protocol", protocol];
    expect(await curl(...reflect, "--list-methods", baseUrl)).toContain("shop.users.v1.UserService/GetUser");
    const answer = await curl(...reflect, "-d", '{"id": "a"}', `${baseUrl}/shop.users.v1.UserService/GetUser`);
    expect(JSON.parse(answer)).toEqual({ id: "a", displayName: "Ada" });
  });
});
