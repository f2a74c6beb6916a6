import { ConnectError } from "@connectrpc/connect";
import { createInventoryServiceClient } from "@shop/generated/shop/inventory/v1/inventory_browser.js";
import type { Product } from "@shop/generated/shop/inventory/v1/inventory_pb.js";
import { createNotificationServiceClient } from "@shop/generated/shop/notifications/v1/notifications_browser.js";
import type { Notification } from "@shop/generated/shop/notifications/v1/notifications_pb.js";
import { createOrderServiceClient } from "@shop/generated/shop/orders/v1/orders_browser.js";
import { type Order, OrderState } from "@shop/generated/shop/orders/v1/orders_pb.js";
import { createRecommendationServiceClient } from "@shop/generated/shop/recommendations/v1/recommendations_browser.js";
import { createUserServiceClient } from "@shop/generated/shop/users/v1/users_browser.js";

const inventory = createInventoryServiceClient({ baseUrl: location.origin });
const notifications = createNotificationServiceClient({ baseUrl: location.origin });
const orders = createOrderServiceClient({ baseUrl: location.origin });
const recommendations = createRecommendationServiceClient({ baseUrl: location.origin });
const users = createUserServiceClient({ baseUrl: location.origin });

/** The interval between polls for notifications, in milliseconds. */
const INTERVAL_MS = 1000;
const MAX_NOTIFICATIONS = 5;

const names = new Map<string, string>();
const cart = new Map<string, { product: Product; quantity: number }>();
/** The idempotency key of the order. It stays until a response arrives, so pressing the button again repeats the same request. */
let requestId = crypto.randomUUID();
let customer: string | undefined;
let newestNotification: string | undefined;

await showProducts();
void showNotifications();
byId("order").addEventListener("submit", (event) => {
  event.preventDefault();
  void placeOrder();
});

async function showProducts(): Promise<void> {
  const list = byId("products");
  try {
    const { products } = await inventory.listProducts({});
    for (const { id, name } of products) names.set(id, name);
    list.replaceChildren(...products.map(card));
  } catch (error) {
    say(ConnectError.from(error).message, true);
  } finally {
    list.setAttribute("aria-busy", "false");
  }
}

function card(product: Product): HTMLElement {
  const add = element("button", "Add");
  add.type = "button";
  add.addEventListener("click", () => {
    const { quantity } = cart.get(product.id) ?? { quantity: 0 };
    cart.set(product.id, { product, quantity: quantity + 1 });
    // A changed cart is a new order.
    requestId = crypto.randomUUID();
    showCart();
    void showTogether(product.id);
  });
  const price = element("span", money(product.priceCents));
  price.className = "price";
  const tags = element("span", product.tags.join(" · "));
  tags.className = "tags";
  const item = element("li");
  item.append(element("strong", product.name), price, tags, add);
  return item;
}

function showCart(): void {
  byId("lines").replaceChildren(
    ...[...cart.values()].map(({ product, quantity }) => element("li", `${quantity} × ${product.name}`)),
  );
  byId("empty").hidden = cart.size > 0;
  byId<HTMLButtonElement>("place").disabled = cart.size === 0;
}

/** Shows products that are often bought together with this one. */
async function showTogether(productId: string): Promise<void> {
  const line = byId("together");
  const found = await recommendations.listRecommendations({ productId, pageSize: 3 }).catch(() => undefined);
  const known = found?.recommendations.flatMap(({ productId: id }) => names.get(id) ?? []) ?? [];
  line.hidden = known.length === 0;
  line.querySelector("span")?.replaceChildren(known.join(", "));
}

/** Shows the newest notifications and keeps polling for more. */
async function showNotifications(): Promise<void> {
  try {
    const filter = `user_id = "${await anyCustomer()}"`;
    const newest = { filter, orderBy: "create_time desc", pageSize: MAX_NOTIFICATIONS };
    const found = (await notifications.listNotifications(newest)).notifications;
    if (found[0]?.id !== newestNotification) byId("notifications").replaceChildren(...found.map(note));
    newestNotification = found[0]?.id;
  } catch {
    // Keep the list as it is: the next poll may succeed.
  }
  setTimeout(showNotifications, INTERVAL_MS);
}

function note({ subject, text }: Notification): HTMLElement {
  const item = element("li");
  item.append(element("strong", subject), text);
  return item;
}

async function placeOrder(): Promise<void> {
  const button = byId<HTMLButtonElement>("place");
  button.disabled = true;
  say("Placing your order …");
  try {
    const { id } = await orders.placeOrder({
      requestId,
      customerId: await anyCustomer(),
      lines: [...cart.values()].map(({ product, quantity }) => ({ productId: product.id, quantity })),
      paymentMethod: byId<HTMLSelectElement>("payment").value,
    });
    requestId = crypto.randomUUID();
    const order = await settled(id);
    if (order.state === OrderState.CONFIRMED) {
      say(`Order ${order.id} is confirmed: ${money(order.totalCents)}.`);
      cart.clear();
    } else {
      say(`Order ${order.id} was cancelled: ${order.cancelReason}.`, true);
    }
  } catch (error) {
    say(ConnectError.from(error).message, true);
  }
  showCart();
}

/** Follows an order until it is no longer PENDING. */
async function settled(id: string): Promise<Order> {
  for await (const order of orders.watchOrder({ id })) if (order.state !== OrderState.PENDING) return order;
  throw new ConnectError(`the state of order ${id} is not known yet: look for it later`);
}

/** Returns the first registered user, because the shop has no login. */
async function anyCustomer(): Promise<string> {
  if (customer !== undefined) return customer;
  for await (const user of users.listUsers({})) {
    customer = user.id;
    return customer;
  }
  throw new ConnectError("the shop has no customers yet: register one");
}

function say(text: string, bad = false): void {
  const status = byId("status");
  status.textContent = text;
  status.classList.toggle("bad", bad);
}

function money(cents: bigint): string {
  return (Number(cents) / 100).toLocaleString("en", { style: "currency", currency: "EUR" });
}

function element<K extends keyof HTMLElementTagNameMap>(tag: K, text = ""): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  made.textContent = text;
  return made;
}

function byId<E extends HTMLElement>(id: string): E {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`the page has no #${id}`);
  return found as E;
}
