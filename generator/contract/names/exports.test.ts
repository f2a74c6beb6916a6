import { fileURLToPath } from "node:url";
import { beforeAll, expect, test } from "vitest";
import { compile } from "../../testing/image.js";
import { buildContract } from "../build.js";
import type { Contract } from "../contract.js";

let contract: Contract;

beforeAll(async () => {
  const folder = fileURLToPath(new URL("../../testdata/any/", import.meta.url));
  contract = buildContract(await compile(folder)).contract;
});

test("names stay plain where nothing collides, and the first declaration has the plain one", () => {
  expect(service("twins.a.Echo").define).toBe("echo");
  expect(service("twins.a.echo").define).toBe("echo$");
  expect(service("twins.a.echo")).toMatchObject({ policy: "echoPolicy$", handler: "echoHandler" });
  // The handler interface of the service echo is called echoHandler already.
  expect(service("twins.a.EchoHandler")).toMatchObject({ policy: "echoHandlerPolicy", define: "echoHandler$" });
});

test("words that no module can declare get a $", () => {
  expect(service("words.services.delete").define).toBe("delete$");
  expect(service("words.services.Await")).toMatchObject({
    define: "await$",
    policy: "awaitPolicy",
    client: "AwaitClient",
  });
  expect(entity("entities.words.v1.Argument")).toMatchObject({ table: "arguments$", row: "ArgumentRow" });
});

test("what is nested has its parents' names before its own, its table aside", () => {
  expect(entity("entities.words.v1.Outer.Inner")).toMatchObject({ row: "Outer_InnerRow", toRow: "outer_InnerToRow" });
  expect(entity("entities.words.v1.Outer_Inner")).toMatchObject({ row: "Outer_InnerRow$", table: "outerInners" });
  expect(entity("entities.rows.v1.First.Line").table).toBe("lines");
  expect(entity("entities.rows.v1.Second.Line").table).toBe("lines$");
});

test("a service is called after its package, in words that name a folder and a variable", () => {
  const names = contract.files.flatMap((file) => file.services.map(({ desc, name }) => [desc.typeName, name]));
  expect(Object.fromEntries(names)).toMatchObject({
    "words.services.delete": "services",
    "files.odd_with_dots_v1.Echo": "odd-with-dots-v1",
    "files.odd_With_Dashes_And_Upper.Echo": "odd-with-dashes-and-upper",
    "deep.er.and.deeper.even.deeper.than.its.folder.v1beta1.Forest": "folder",
    Echo: "echo",
    Service: "service",
  });
});

function service(typeName: string) {
  const services = contract.files.flatMap((file) => file.services);
  return services.find(({ desc }) => desc.typeName === typeName)!.exports;
}

function entity(typeName: string) {
  return contract.entities.find(({ desc }) => desc.typeName === typeName)!.exports;
}
