import type { DescMessage, DescMethod, DescService } from "@bufbuild/protobuf";
import type { GeneratedFile, Printable } from "@bufbuild/protoplugin";
import type { RetryPolicy } from "../contract/contract.js";
import { commentOf } from "../contract/findings/place.js";

const runtime = "@protoscaffold/runtime/codegen";

/** Imports a symbol of the runtime library, from its module for one kind of generated file. */
export function fromRuntime(f: GeneratedFile, name: string, kind: string, typeOnly = false): Printable {
  return f.import(name, `${runtime}/${kind}`, typeOnly);
}

/** Imports a symbol of a generated file: `fromGenerated(f, "orders", "shop/orders/v1/orders", "_schema")`. */
export function fromGenerated(
  f: GeneratedFile,
  name: string,
  path: string,
  suffix: string,
  typeOnly = false,
): Printable {
  return f.import(name, `./${path}${suffix}.js`, typeOnly);
}

/** Returns a doc comment: the contract's own comment, then sentences about the runtime, then the source. */
export function doc(
  f: GeneratedFile,
  desc: DescMessage | DescService | DescMethod,
  sentences: readonly string[] = [],
  indentation = "",
): Printable {
  const source = `@generated from ${desc.toString()}`;
  const text = [commentOf(desc), sentences.join(" "), source].filter((part) => part !== "").join("\n\n");
  return f.jsDoc(desc.deprecated ? `${text}\n@deprecated` : text, indentation);
}

/**
 * Reserves a name that a file uses without importing it, such as a global or a parameter. An import of that name is renamed.
 * `path` is the path of the file: "shop/orders/v1/orders_service".
 */
export function local(f: GeneratedFile, name: string, path: string): Printable {
  return f.import(name, `./${path}.js`);
}

/** Returns a member's name in an interface, quoted if TypeScript would parse it otherwise: "new(): T" is a constructor. */
export function member(name: string): string {
  return name === "new" ? `"new"` : name;
}

/** "5 s", "250 ms", "2 h". */
export function duration(ms: number): string {
  if (ms % 3_600_000 === 0) return `${ms / 3_600_000} h`;
  if (ms % 60_000 === 0) return `${ms / 60_000} min`;
  return ms % 1000 === 0 ? `${ms / 1000} s` : `${ms} ms`;
}

/** 60000 -> "60_000". */
export function digits(value: number): string {
  return String(value).replace(/\B(?=(\d{3})+(?!\d))/g, "_");
}

/** Returns a retry policy as a literal of the runtime's type. */
export function retryLiteral({ maxAttempts, initialBackoffMs, maxBackoffMs, backoffMultiplier }: RetryPolicy): string {
  const attempts = maxAttempts === undefined ? "" : `maxAttempts: ${digits(maxAttempts)}, `;
  const backoff = `initialBackoffMs: ${digits(initialBackoffMs)}, maxBackoffMs: ${digits(maxBackoffMs)}`;
  return `{ ${attempts}${backoff}, backoffMultiplier: ${backoffMultiplier} }`;
}

/** `["id", "name"]`. */
export function strings(values: readonly string[]): string {
  return `[${values.map((value) => JSON.stringify(value)).join(", ")}]`;
}

/** Returns the union type of the schemas of events. */
export function unionOf(events: readonly { readonly desc: DescMessage }[], f: GeneratedFile): Printable[] {
  const schemas = events.map(({ desc }) => ["typeof ", f.importSchema(desc, true)]);
  return schemas.flatMap((schema, position) => (position === 0 ? schema : [" | ", ...schema]));
}
