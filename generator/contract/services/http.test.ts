import { expect, test } from "vitest";
import { compile } from "../../testing/image.js";
import { temporaryProject } from "../../testing/project.js";
import { buildContract } from "../build.js";

const proto = (name: string, option: string, paths: readonly string[]) => `syntax = "proto3"; package ${name}.v1;
  import "google/api/annotations.proto"; import "scaffold/v1/options.proto";
  message M { string id = 1; }
  service S { ${option}
    ${paths.map((path, i) => `rpc Do${i}(M) returns (M) { option (google.api.http) = {get: "${path}"}; }`).join("\n")}
  }`;
const unservable = ["/v1/{id}x", "/v1/shared/{id}", "/healthz", "/v1/twice", "/v1/twice", "/v1/good"];

test("routes of somebody else's contract that cannot be served are left out and noted; the project's own go first", async () => {
  const { root } = temporaryProject({
    "acme.proto": proto("acme", "", unservable),
    "desk.proto": proto("desk", "option (scaffold.v1.service) = {};", ["/v1/shared/{id=*}"]),
  });
  const image = await compile(root);
  for (const run of [["acme.v1.S"], []]) {
    const { contract, findings } = buildContract(image, { names: {}, run });
    const found = findings.map(({ file, rule, severity, message }) => `${file}: ${severity} ${rule}: ${message}`);
    const note = (rule: string, text: string) =>
      `acme.proto: note ${rule}: ${text}. The contract is not this project's, so the route is left out.`;
    expect(found).toEqual([
      note(
        "HTTP_RULE",
        'The path "/v1/{id}x" is wrong at column 9: only "/", ":" or the end may follow "}", for a variable takes whole segments',
      ),
      ...(run.length === 0
        ? []
        : [
            note("HTTP_ROUTE_TAKEN", "GET /v1/shared/{id} already means desk.v1.S.Do0"),
            note("HTTP_ROUTE_TAKEN", "GET /healthz already leads to the gateway itself"),
            note("HTTP_ROUTE_TAKEN", "GET /v1/twice already means acme.v1.S.Do3"),
          ]),
    ]);
    const routes = contract.services.map(({ desc, methods }) => [
      desc.typeName,
      methods.flatMap((method) => method.routes.map(({ path }) => path)),
    ]);
    expect(Object.fromEntries(routes)).toEqual({
      ...(run.length === 0 ? {} : { "acme.v1.S": ["/v1/twice", "/v1/good"] }),
      "desk.v1.S": ["/v1/shared/{id=*}"],
    });
  }
});

test("the same in the project's own contract are errors", async () => {
  const own = proto("desk", "option (scaffold.v1.service) = {};", unservable);
  const { findings } = buildContract(await compile(temporaryProject({ "desk.proto": own }).root), {
    names: {},
    run: ["desk.v1.S"],
  });
  expect(findings.map(({ severity, rule }) => `${severity} ${rule}`)).toEqual([
    "error HTTP_RULE",
    "error HTTP_ROUTE_TAKEN",
    "error HTTP_ROUTE_TAKEN",
  ]);
});
