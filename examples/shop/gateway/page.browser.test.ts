import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { type Browser, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { root, type Shop, startShop } from "../testing/shop.js";

/** Where screenshots go, for a person to look at. */
const pictures = join(root, ".scaffold/tests/pictures");

let shop: Shop;
let browser: Browser;

beforeAll(async () => {
  await mkdir(pictures, { recursive: true });
  shop = await startShop();
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
}, 120_000);

afterAll(async () => {
  await browser?.close();
  await shop?.stop();
});

async function open(
  viewport = { width: 1100, height: 760 },
): Promise<{ page: Page; faults: string[]; protocols: Set<string> }> {
  const page = await browser.newPage({ viewport });
  const faults: string[] = [];
  const protocols = new Set<string>();
  page.on("pageerror", (error) => faults.push(error.message));
  page.on("console", (message) => {
    if (message.type() === "error") faults.push(message.text());
  });
  page.on("request", (request) => {
    if (request.method() === "POST") protocols.add(request.headers()["content-type"] ?? "");
  });
  await page.goto(shop.address);
  await page.locator("#products[aria-busy=false]").waitFor();
  return { page, faults, protocols };
}

test("lists products and places an order, over gRPC-Web", async () => {
  const { page, faults, protocols } = await open();
  expect(await page.locator("#products li").count()).toBe(8);
  await page.screenshot({ path: join(pictures, "products.png") });

  await page.locator("#products li", { hasText: "Oak tray" }).getByRole("button").click();
  await page.locator("#products li", { hasText: "Espresso cup" }).getByRole("button").click();
  await page.getByRole("button", { name: "Place order" }).click();
  await page.locator("#status", { hasText: "is confirmed: €51.50" }).waitFor();
  await page.locator("#notifications li", { hasText: "2 things for €51.50" }).waitFor();
  await page.locator("#products li", { hasText: "Oak tray" }).getByRole("button").click();
  await page.locator("#together", { hasText: "Espresso cup" }).waitFor();
  await page.screenshot({ path: join(pictures, "confirmed.png") });
  expect(faults).toEqual([]);
  expect([...protocols]).toEqual(["application/grpc-web+proto"]);
});

test("says why an order was not to be had", async () => {
  const { page } = await open({ width: 420, height: 900 });
  await page.locator("#products li", { hasText: "Desk lamp" }).getByRole("button").click();
  await page.locator("#payment").selectOption("declined");
  await page.getByRole("button", { name: "Place order" }).click();
  await page.locator("#status.bad", { hasText: "payment declined" }).waitFor();
  await page.screenshot({ path: join(pictures, "declined.png"), fullPage: true });
});
