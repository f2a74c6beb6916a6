import { expect, expectTypeOf, test } from "vitest";
import { EnvironmentError, httpUrl, milliseconds, port } from "./environment.js";
import { tlsVariables } from "./tls.js";
import { readVariables, type Variables } from "./variables.js";

interface Shop {
  readonly bakes: boolean;
  readonly suppliers: readonly string[];
}

const variables = {
  PORT: { reader: port(), meaning: "The port." },
  OVEN_URL: {
    reader: httpUrl(),
    meaning: "The oven.",
    askedIf: { text: "the shop bakes", holds: ({ bakes }) => bakes },
  },
  RISE_MS: {
    reader: milliseconds(100),
    meaning: "How long dough rises.",
    askedIf: { text: "the shop bakes", holds: ({ bakes }) => bakes },
  },
  suppliers: {
    reader: httpUrl(),
    meaning: "A supplier.",
    each: { pattern: "<NAME>_URL", text: "each supplier", of: ({ suppliers }) => suppliers },
  },
} satisfies Variables<Shop>;

function faultsOf(run: () => unknown): readonly string[] {
  try {
    run();
  } catch (error) {
    if (error instanceof EnvironmentError) return error.faults;
    throw error;
  }
  return [];
}

test("reads what a process asks for, with one value for each name of a row", () => {
  const suppliers = ["MILL_URL", "FARM_URL"];
  const env = { PORT: "80", OVEN_URL: "http://oven", MILL_URL: "http://mill/", FARM_URL: "http://farm" };
  const read = readVariables(variables, { bakes: true, suppliers }, env);
  expectTypeOf(read.PORT).toEqualTypeOf<number>();
  expectTypeOf(read.RISE_MS).toEqualTypeOf<number | undefined>();
  expectTypeOf(read.suppliers).toEqualTypeOf<Readonly<Record<string, string>>>();
  expect(read).toStrictEqual({
    PORT: 80,
    OVEN_URL: "http://oven",
    RISE_MS: 100,
    suppliers: { MILL_URL: "http://mill", FARM_URL: "http://farm" },
  });
});

test("what a process does not ask for is checked, and not used", () => {
  const shop = { bakes: false, suppliers: [] };
  const env = { PORT: "80", OVEN_URL: "http://oven", RISE_MS: "5" };
  expect(readVariables(variables, shop, env)).toStrictEqual({
    PORT: 80,
    OVEN_URL: undefined,
    RISE_MS: undefined,
    suppliers: {},
  });
  expect(faultsOf(() => readVariables(variables, shop, { PORT: "80", OVEN_URL: "oven" }))).toEqual([
    'OVEN_URL is "oven": it must be an http:// or https:// URL, such as http://127.0.0.1:8081',
  ]);
});

test("names every fault, and why a variable is asked for", () => {
  const shop = { bakes: true, suppliers: ["MILL_URL"] };
  expect(faultsOf(() => readVariables(variables, shop, { RISE_MS: "long" }))).toEqual([
    "PORT is not set: it must be a port number from 0 to 65535, such as 8081",
    "OVEN_URL is not set, but the shop bakes: it must be an http:// or https:// URL, such as http://127.0.0.1:8081",
    'RISE_MS is "long": it must be a whole number of milliseconds, such as 10000',
    "MILL_URL is not set: it must be an http:// or https:// URL, such as http://127.0.0.1:8081",
  ]);
});

test.each([
  [{}, []],
  [{ TLS_CA_FILE: "/none" }, ["TLS_CA_FILE"]],
  [{ TLS_CERT_FILE: "/none" }, ["TLS_CERT_FILE", "TLS_KEY_FILE"]],
  [{ TLS_KEY_FILE: "/none" }, ["TLS_CERT_FILE", "TLS_KEY_FILE"]],
  [{ TLS_CLIENT_CA_FILE: "/none" }, ["TLS_CERT_FILE", "TLS_KEY_FILE", "TLS_CLIENT_CA_FILE"]],
])("with %j, these variables of TLS are missing or wrong: %j", (env, names) => {
  const faults = faultsOf(() => readVariables(tlsVariables, undefined, env));
  expect(faults.map((fault) => fault.split(" ")[0])).toEqual(names);
});
