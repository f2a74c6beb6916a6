import type { DescField, DescOneof } from "@bufbuild/protobuf";
import type { Entity } from "../contract.js";
import { longestName } from "./sql-name.js";

/**
 * Returns a constraint's name, such as `orders_customer_id_fkey`, cut to the 63 bytes that PostgreSQL keeps of a name. A
 * name that another constraint of the table has after the cut gets a number.
 */
export function constraintName(
  { table, checks, references }: Pick<Entity, "table" | "checks" | "references">,
  what: string,
  of: DescField | DescOneof,
  suffix: "_check" | "_oneof" | "_fkey",
): string {
  const cut = (end: string) => `${`${table}_${what}`.slice(0, longestName - end.length)}${end}`;
  const name = cut(suffix);
  const taken = [...checks, ...references].some((other) => other.name === name);
  const number = of.kind === "field" ? of.number : (of.fields[0]?.number ?? 0);
  return taken ? cut(`_${number}${suffix}`) : name;
}
