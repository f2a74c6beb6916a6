import { create, createFileRegistry, type DescService, type Message } from "@bufbuild/protobuf";
import { Code, ConnectError, type ConnectRouter, type HandlerContext } from "@connectrpc/connect";
import { BadRequestSchema } from "@protoscaffold/runtime/codegen/options/google/rpc/error_details_pb.js";
import { describe, expect, it } from "vitest";
import { buildImage } from "../image/compile.js";
import { descriptors } from "../image/descriptors.js";
import { settingsOf } from "../project/settings.js";
import { scaffold } from "../testing/cli.js";
import { type TemporaryProject, temporaryProject } from "../testing/project.js";
import { serveForTest } from "../testing/server.js";

const proto = `syntax = "proto3";
package talk.v1;
service TalkService {
  rpc Say(SayRequest) returns (SayResponse);
  rpc Count(SayRequest) returns (stream SayResponse);
  rpc Collect(stream SayRequest) returns (SayResponse);
  rpc Chat(stream SayRequest) returns (stream SayResponse);
}
message SayRequest {
  string text = 1;
  int64 times = 2;
}
message SayResponse {
  string text = 1;
}
`;

type Say = Message & { text: string; times: bigint };

function talkProject(): TemporaryProject {
  return temporaryProject({
    "package.json": `{"name": "talk"}`,
    "buf.yaml": "version: v2\nmodules: [{path: proto}]\n",
    "proto/talk/v1/talk.proto": proto,
  });
}

async function talkService({ root }: TemporaryProject): Promise<DescService> {
  const settings = settingsOf(root, { name: "talk" });
  return createFileRegistry(descriptors(await buildImage(settings))).getService("talk.v1.TalkService")!;
}

/** The service, implemented over descriptors that are known only now, so that its messages have no types. */
function talk(service: DescService) {
  const answer = (text: string) => create(service.method.say!.output, { text });
  return (router: ConnectRouter) => {
    router.service(service, {
      say(request: Say, context: HandlerContext) {
        context.responseHeader.set("x-heard", context.requestHeader.get("x-said") ?? "nothing");
        if (request.text === "slow") return new Promise(() => {});
        if (request.text !== "bad") return answer(request.text);
        const detail = create(BadRequestSchema, { fieldViolations: [{ field: "text", description: "is bad" }] });
        throw new ConnectError("no such word", Code.InvalidArgument, undefined, [
          { desc: BadRequestSchema, value: detail },
        ]);
      },
      async *count(request: Say) {
        for (let time = 1n; time <= request.times; time++) yield answer(`${request.text} ${time}`);
        if (request.text === "bad") throw new ConnectError("lost count", Code.Aborted);
      },
      async collect(requests: AsyncIterable<Say>) {
        const texts: string[] = [];
        for await (const request of requests) texts.push(request.text);
        return answer(texts.join(" "));
      },
      async *chat(requests: AsyncIterable<Say>) {
        for await (const request of requests) yield answer(`${request.text}!`);
      },
      // biome-ignore lint/suspicious/noExplicitAny: the service has no types
    } as any);
  };
}

describe.each([
  ["grpc", "2"],
  ["grpc-web", "1.1"],
  ["connect", "1.1"],
] as const)("over %s", (protocol, version) => {
  it("calls methods of every kind", async () => {
    const project = talkProject();
    const routes = talk(await talkService(project));
    const address = await serveForTest(version, routes);
    const bidi = version === "2" ? address : await serveForTest("2", routes);
    const call = (method: string, input: string, at = address) =>
      scaffold(project.root, ["call", `TalkService/${method}`, "-d", "@-", "--protocol", protocol, "--address", at], {
        input,
      });

    expect(
      await Promise.all([
        call("Say", `{"text": "hi"}`),
        call("Count", `{"text": "hi", "times": "2"}`),
        call("Collect", `{"text": "a"}{"text": "b"}\n{"text": "c"}`),
        call("Chat", `{"text": "a"} {"text": "b"}`, bidi),
      ]),
    ).toEqual([
      { code: 0, stderr: "", stdout: `{"text":"hi"}\n` },
      { code: 0, stderr: "", stdout: `{"text":"hi 1"}\n{"text":"hi 2"}\n` },
      { code: 0, stderr: "", stdout: `{"text":"a b c"}\n` },
      { code: 0, stderr: "", stdout: `{"text":"a!"}\n{"text":"b!"}\n` },
    ]);
  });

  it("prints an error with its code and details, after what came before it", async () => {
    const project = talkProject();
    const address = await serveForTest(version, talk(await talkService(project)));
    const call = (method: string, data: string) =>
      scaffold(project.root, [
        "call",
        `TalkService/${method}`,
        "-d",
        data,
        "--protocol",
        protocol,
        "--address",
        address,
      ]);
    expect(await Promise.all([call("Say", `{"text":"bad"}`), call("Count", `{"text":"bad","times":1}`)])).toEqual([
      {
        code: 1,
        stdout: "",
        stderr:
          "INVALID_ARGUMENT: no such word\n" +
          `google.rpc.BadRequest {"fieldViolations":[{"field":"text","description":"is bad"}]}\n`,
      },
      { code: 1, stdout: `{"text":"bad 1"}\n`, stderr: "ABORTED: lost count\n" },
    ]);
  });
});

it("sends headers and a deadline, and shows headers when asked", async () => {
  const project = talkProject();
  const address = await serveForTest("2", talk(await talkService(project)));
  const call = (...args: string[]) =>
    scaffold(project.root, ["call", "talk.v1.TalkService.Say", "--address", address, ...args]);
  const [heard, late] = await Promise.all([
    call("-H", "x-said: a", "-H", "x-said: b", "-v", "--emit-defaults"),
    call("-d", `{"text": "slow"}`, "--timeout", "50ms"),
  ]);
  expect(heard).toMatchObject({ code: 0, stdout: `{"text":""}\n` });
  expect(heard.stderr).toContain("< x-heard: a, b\n");
  expect(late).toMatchObject({ code: 1, stderr: expect.stringMatching(/^DEADLINE_EXCEEDED/) });
});

it("asks the server what it has", async () => {
  const project = talkProject();
  const service = await talkService(project);
  const { reflectionRoutes } = await import("@protoscaffold/runtime/server/reflection");
  const address = await serveForTest("2", (router) => {
    talk(service)(router);
    reflectionRoutes([service])(router);
  });
  const elsewhere = temporaryProject();
  const call = (...args: string[]) => scaffold(elsewhere.root, ["call", "--reflect", "--address", address, ...args]);
  const [listed, called] = await Promise.all([call(), call("TalkService/Say", "-d", `{"text": "hi"}`)]);
  expect(listed.stdout).toContain("talk.v1.TalkService/Say\n");
  expect(called).toEqual({ code: 0, stdout: `{"text":"hi"}\n`, stderr: "" });
});

it.each([
  [["TalkService/Sya"], "Did you mean Say?"],
  [["TalkService/Say", "-d", `{"txt": "hi"}`], "Did you mean text?"],
  [["TalkService/Say", "-d", "{}{}"], "takes one message, but -d has 2"],
  [["TalkService/Chat", "-d", "{} nonsense"], "document 2: the JSON is broken at character 1"],
  [["TalkService/Say", "--address", "127.0.0.1:1"], "Nothing listens at http://127.0.0.1:1"],
  [["TalkService/Say", "--address", "127.0.0.1:1", "--reflect"], "Nothing listens at http://127.0.0.1:1"],
])("refuses %j with a way out", async (args, message) => {
  const project = talkProject();
  const service = await talkService(project);
  const address = args.includes("TalkService/Chat") ? ["--address", await serveForTest("2", talk(service))] : [];
  const result = await scaffold(project.root, ["call", ...args, ...address]);
  expect(result).toMatchObject({ code: 1, stdout: "" });
  expect(result.stderr).toContain(message);
  expect(result.stderr).not.toContain("    at ");
});
