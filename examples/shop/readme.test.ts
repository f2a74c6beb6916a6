import { execFile } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { readFile } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { root, type Shop, startShop } from "./testing/shop.js";

const readme = await readFile(join(root, "README.md"), "utf8");
const commands = [...readme.matchAll(/^```sh\n(.*?)^```$/gms)].flatMap(([, block = ""]) =>
  block.trim().split(/\n(?=npx|npm|curl)/),
);

let shop: Shop;

beforeAll(async () => {
  shop = await startShop({ command: ["npm", "start"] });
}, 120_000);

// npm passes a SIGTERM on; a SIGINT it leaves to the terminal, which sends it to everyone.
afterAll(() => shop?.stop("SIGTERM"));

test("the two commands come first", () => {
  expect(commands.slice(0, 2)).toEqual(["npm ci && npm start", "npm ci && npm test"]);
});

// The shop was started by the first command; this test is part of the second.
describe.each(commands.slice(2))("%s", (command) => {
  test.runIf(isInstalled(command.split(" ", 1)[0] as string))("does what the README says", async () => {
    const { hostname, port } = new URL(shop.address);
    const { stdout } = await promisify(execFile)(
      "sh",
      ["-c", command.replaceAll("127.0.0.1:8080", `${hostname}:${port}`)],
      {
        cwd: root,
        env: { ...process.env, PORT: port, SCAFFOLD_STATE: shop.state, NO_COLOR: "1" },
      },
    );
    const said = expected.find(([start]) => command.startsWith(start))?.[1];
    if (said !== undefined) expect(stdout).toMatch(said);
  });
});

/** What a reader would look for in the answer. */
const expected: readonly [start: string, said: RegExp][] = [
  ["curl -s http://127.0.0.1:8080/v1/orders", /"state":"ORDER_STATE_CONFIRMED".*"totalCents":"2500"/],
  ["curl -s http://127.0.0.1:8080/v1/salesDays", /"salesDays":.*"orders":/],
  ["npx scaffold call", /"products":.*"desk-lamp"/s],
  [
    "npm run demo",
    /orders.*its cache.*miss.*hit.*its database.*select.*payments.*its cache.*miss.*hit.*its database.*select.*notifications +Your order/s,
  ],
  ["npx scaffold ps", /orders +\d+ +\d+ +healthy/],
];

/** curl is the one command here that does not come with Node and npm. */
function isInstalled(program: string): boolean {
  return (process.env.PATH ?? "").split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
