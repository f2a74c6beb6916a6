import { execFile } from "node:child_process";
import { mkdir, rm } from "node:fs/promises";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** What protobufjs's static code has for a message. */
export interface StaticType {
  encode(message: object): { finish(): Uint8Array };
  decode(bytes: Uint8Array): object;
}

/** Has protobufjs print its static code for `order.proto`, and loads it. */
export async function staticOrder(): Promise<StaticType> {
  // Inside the repository, so that node_modules is found.
  const folder = here("../../.scaffold/bench/codec");
  await mkdir(folder, { recursive: true });
  try {
    const target = ["--target", "static-module", "--wrap", "es6", "--out", `${folder}/order.mjs`];
    await promisify(execFile)(here("../../node_modules/.bin/pbjs"), [...target, here("order.proto")]);
    const { shop } = (await import(pathToFileURL(`${folder}/order.mjs`).href)) as {
      shop: { orders: { v1: { Order: StaticType } } };
    };
    return shop.orders.v1.Order;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
