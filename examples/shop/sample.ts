import { createInventoryServiceClient } from "@shop/generated/shop/inventory/v1/inventory_client.js";
import { createUserServiceClient } from "@shop/generated/shop/users/v1/users_client.js";

const products = [
  { id: "espresso-cup", name: "Espresso cup", priceCents: 1250n, tags: ["kitchen", "porcelain"], available: 400 },
  { id: "oak-tray", name: "Oak tray", priceCents: 3900n, tags: ["kitchen", "wood"], available: 120 },
  { id: "linen-towel", name: "Linen towel", priceCents: 1890n, tags: ["kitchen", "textile"], available: 250 },
  { id: "desk-lamp", name: "Desk lamp", priceCents: 7450n, tags: ["office", "light"], available: 60 },
  { id: "notebook-a5", name: "Notebook A5", priceCents: 990n, tags: ["office", "paper"], available: 1000 },
  { id: "fountain-pen", name: "Fountain pen", priceCents: 4800n, tags: ["office", "writing"], available: 80 },
  { id: "wool-blanket", name: "Wool blanket", priceCents: 8900n, tags: ["home", "textile"], available: 45 },
  { id: "last-teapot", name: "The last teapot", priceCents: 5600n, tags: ["kitchen", "rare"], available: 1 },
];

const users = [
  { email: "ada@example.com", displayName: "Ada" },
  { email: "grace@example.com", displayName: "Grace" },
  { email: "linus@example.com", displayName: "Linus" },
];

/** Fills an empty shop through its gateway. Its request ids are fixed, so a second run changes nothing. */
export default async function sample(address: string): Promise<void> {
  const inventory = createInventoryServiceClient({ baseUrl: address });
  for (const { available, ...product } of products) {
    await inventory.createProduct({ product, requestId: `sample/${product.id}` });
    await inventory.createStock({ stock: { productId: product.id, available }, requestId: `sample/${product.id}` });
  }
  const customers = createUserServiceClient({ baseUrl: address });
  for (const user of users) await customers.createUser({ user, requestId: `sample/${user.email}` });
}
