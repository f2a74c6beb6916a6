import type { DescService, Registry } from "@bufbuild/protobuf";

/** "OrderLine" -> "order_line". */
export function snakeCase(name: string): string {
  return name
    .replace(/([a-z0-9])([A-Z])/g, "$1_$2")
    .replace(/([A-Z]+)([A-Z][a-z])/g, "$1_$2")
    .toLowerCase();
}

/** "order-lines" and "order_lines" -> "orderLines"; "OrderLine" -> "orderLine". A digit keeps its underscore: "_1" -> "_1". */
export function camelCase(name: string): string {
  const joined = lowerFirst(name.replace(/[-_]+(.)/g, (_, letter: string) => letter.toUpperCase()));
  return /^\d/.test(joined) ? `_${joined}` : joined;
}

/** "orderLines" -> "OrderLines". */
export function pascalCase(name: string): string {
  return upperFirst(camelCase(name));
}

/** "the table" -> "The table". */
export function upperFirst(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** "OrderService" -> "orderService". */
export function lowerFirst(name: string): string {
  return name.charAt(0).toLowerCase() + name.slice(1);
}

/** English plurals as API authors form them: "Order" -> "Orders", "Category" -> "Categories", "Box" -> "Boxes". */
export function plural(name: string): string {
  if (/[^aeiou]y$/i.test(name)) return `${name.slice(0, -1)}ies`;
  return /(s|x|z|ch|sh)$/i.test(name) ? `${name}es` : `${name}s`;
}

/** Returns the last word of the package that is not a version: "orders" for shop.orders.v1.OrderService. */
export function serviceName(service: DescService): string {
  const words = packageWords(service.file.proto.package);
  const own = [service.name.replace(/Service$/, ""), service.name];
  return [...words.toReversed(), ...own].map(kebabCase).find((name) => /^[a-z]/.test(name)) ?? "service";
}

/** Returns the words of a package without its version: "shop" and "orders" of shop.orders.v1. */
export function packageWords(name: string): string[] {
  return name.split(".").filter((word) => word !== "" && !/^v\d+(p\d+)?((alpha|beta)\d*)?$/.test(word));
}

/** Reserved names of services: other parts of a running system, their addresses and logs, and the build folder. */
export const takenServiceNames: ReadonlySet<string> = new Set(
  "balancer broker cache database dist gateway gateway-1 gateway-2 postgres sample template0 template1".split(" "),
);

/** "OrderLines", "order_lines" and "order__lines_" -> "order-lines". */
export function kebabCase(name: string): string {
  return snakeCase(name)
    .split("_")
    .filter((word) => word !== "")
    .join("-");
}

/**
 * Resolves a name in an option by protobuf's scoping: a leading dot is absolute; otherwise the innermost scope that has the
 * name wins. Searches the whole image, imported or not.
 */
export function resolve<K extends "message" | "service">(
  registry: Registry,
  kind: K,
  name: string,
  scope: string,
): (K extends "message" ? ReturnType<Registry["getMessage"]> : ReturnType<Registry["getService"]>) | undefined {
  type Found = ReturnType<typeof resolve<K>>;
  const get = (typeName: string) =>
    (kind === "message" ? registry.getMessage(typeName) : registry.getService(typeName)) as Found;
  if (name.startsWith(".")) return get(name.slice(1));
  for (let around = scope; around !== ""; around = around.slice(0, Math.max(0, around.lastIndexOf(".")))) {
    const found = get(`${around}.${name}`);
    if (found !== undefined) return found;
  }
  return get(name);
}
