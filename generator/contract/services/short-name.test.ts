import { expect, test } from "vitest";
import { compile } from "../../testing/image.js";
import { temporaryProject } from "../../testing/project.js";
import { buildContract } from "../build.js";
import { type Naming, unnamed } from "./short-name.js";

/** A contract of services by their full names; those that begin with "run " have the option, which may call others. */
async function contractOf(services: Readonly<Record<string, readonly string[]>>, naming: Naming) {
  const files: Record<string, string> = {};
  for (const [key, calls] of Object.entries(services)) {
    const [, run, scope = "", name = ""] = /^(run )?(.*)\.(.*)$/.exec(key)!;
    const option = `option (scaffold.v1.service) = {${calls.map((callee) => `calls: ".${callee}"`).join(" ")}};`;
    const path = `${scope.replaceAll(".", "/")}/x.proto`;
    files[path] ??= `syntax = "proto3"; package ${scope}; import "scaffold/v1/options.proto"; message M {}\n`;
    files[path] += `service ${name} { ${run ? option : ""} rpc Do(M) returns (M); }\n`;
  }
  return buildContract(await compile(temporaryProject(files).root), naming);
}

async function names(services: readonly string[], naming: Partial<Naming> = {}): Promise<Record<string, string>> {
  const all = Object.fromEntries(services.map((name) => [name, []]));
  const { contract, findings } = await contractOf(all, { ...unnamed, ...naming });
  expect(findings).toEqual([]);
  return Object.fromEntries(contract.services.map(({ desc, name }) => [desc.typeName, name]));
}

test("versions of a package run side by side: all but the first have their version's name", async () => {
  const orders = ["v1", "v1beta1", "v2", "v10", "v2alpha1", "v1p1beta1"].map(
    (v) => `run shop.orders.${v}.OrderService`,
  );
  expect(await names([...orders, "run shop.users.v2.UserService"])).toEqual({
    "shop.orders.v1beta1.OrderService": "orders",
    "shop.orders.v1.OrderService": "orders-v1",
    "shop.orders.v1p1beta1.OrderService": "orders-v1p1beta1",
    "shop.orders.v2alpha1.OrderService": "orders-v2alpha1",
    "shop.orders.v2.OrderService": "orders-v2",
    "shop.orders.v10.OrderService": "orders-v10",
    "shop.users.v2.UserService": "users",
  });
});

test("a package without a version is the first of them", async () => {
  expect(await names(["run shop.orders.v1.OrderService", "run shop.orders.Orders"])).toEqual({
    "shop.orders.Orders": "orders",
    "shop.orders.v1.OrderService": "orders-v1",
  });
});

test("the project's names go before packages', a service's before its package's", async () => {
  const spanner = "google.spanner.admin.database.v1";
  const naming = {
    names: { [spanner]: "spanner", "shop.orders.v2.OrderService": "orders", "shop.orders.v1": "old-orders" },
    run: [`${spanner}.DatabaseAdmin`],
  };
  const services = [`${spanner}.DatabaseAdmin`, "run shop.orders.v1.OrderService", "run shop.orders.v2.OrderService"];
  expect(await names(services, naming)).toEqual({
    [`${spanner}.DatabaseAdmin`]: "spanner",
    "shop.orders.v1.OrderService": "old-orders",
    "shop.orders.v2.OrderService": "orders",
  });
  // What is a name in JavaScript is none of a service.
  expect(await names(["run constructor.A"])).toEqual({ "constructor.A": "constructor" });
});

test("names that cannot be are findings, with the setting that gives another", async () => {
  const services = { "run a.database.v1.A": [], "run shop.v1.B": [], "run shop.v1.RefundService": [] };
  const { findings } = await contractOf(services, { ...unnamed, names: { "shop.v1.B": "shop" } });
  expect(findings.map(({ rule, message }) => `${rule}: ${message}`)).toEqual([
    'SERVICE_NAME_TAKEN: "database" is the system\'s own name for a part of it: name it in package.json, "scaffold": {"names": {"a.database.v1.A": "a-database"}}.',
    'SERVICE_NAME_TAKEN: RefundService and shop.v1.B are both called "shop": name it in package.json, "scaffold": {"names": {"shop.v1.RefundService": "refund"}}.',
  ]);
  const long = "x".repeat(64);
  const { findings: more } = await contractOf({ [`run ${long}.A`]: [] }, unnamed);
  expect(more.map(({ message }) => message)).toEqual([expect.stringContaining("longer than a database's name can be")]);
});

test("services that the project gives one name are one process, in which one has data", async () => {
  const naming = { ...unnamed, names: { "shop.orders.v1": "orders", "shop.orders.v2.OrderService": "orders" } };
  const proto = (version: string, entities: string) => `syntax = "proto3"; package shop.orders.${version};
    import "google/api/field_behavior.proto";
    import "scaffold/v1/options.proto";
    service OrderService { option (scaffold.v1.service) = {${entities}}; }
    message Order {
      ${entities && "option (scaffold.v1.entity) = {};"}
      string id = 1 [(google.api.field_behavior) = IDENTIFIER];
    }`;
  const own = 'entities: "Order"';
  const read = async (one: string, other: string) => {
    const files = { "1.proto": proto("v1", one), "2.proto": proto("v2", other) };
    return buildContract(await compile(temporaryProject(files).root), naming);
  };
  const { contract, findings } = await read("", own);
  expect(findings).toEqual([]);
  expect(contract.services.map(({ desc, name }) => `${name} ${desc.typeName}`)).toEqual([
    "orders shop.orders.v2.OrderService",
    "orders shop.orders.v1.OrderService",
  ]);
  expect((await read("", "")).findings).toEqual([]);
  expect((await read(own, own)).findings.map(({ rule, message }) => `${rule}: ${message}`)).toEqual([
    expect.stringContaining('one process, "orders", and both have data, events or sagas, which a process has once'),
  ]);
});

test("a service may call one that nobody runs here, by a name that no other has", async () => {
  const tax = "acme.tax.v1.TaxService";
  const { contract, findings } = await contractOf({ [tax]: [], "run shop.orders.v1.OrderService": [tax] }, unnamed);
  expect(findings).toEqual([]);
  expect(contract.services.map(({ name, calls }) => [name, calls.map((callee) => [callee.name, callee.run])])).toEqual([
    ["orders", [["tax", false]]],
  ]);
  const admin = "google.spanner.admin.database.v1.DatabaseAdmin";
  const called = { [admin]: [], "run shop.orders.v1.OrderService": [admin] };
  expect((await contractOf(called, unnamed)).findings.map(({ rule }) => rule)).toEqual(["SERVICE_NAME_TAKEN"]);
  expect((await contractOf(called, { ...unnamed, names: { [admin]: "spanner" } })).findings).toEqual([]);
  // What runs keeps its name when another version of it is called.
  const versions = { "acme.tax.v1.TaxService": [], "run acme.tax.v2.TaxService": ["acme.tax.v1.TaxService"] };
  const { contract: both } = await contractOf(versions, unnamed);
  expect(both.services.map(({ name, calls }) => [name, calls[0]?.name])).toEqual([["tax", "tax-v1"]]);
});
