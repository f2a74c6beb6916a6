import {
  createFileRegistry,
  createRegistry,
  type DescMethod,
  type DescService,
  type Registry,
} from "@bufbuild/protobuf";
import type { FileDescriptorSet } from "@bufbuild/protobuf/wkt";
import { file_google_rpc_error_details } from "@protoscaffold/runtime/codegen/options/google/rpc/error_details_pb.js";
import { didYouMean } from "../text/closest.js";

/** The services that can be called, and all types that their messages may contain. */
export interface Schema {
  readonly services: readonly DescService[];
  readonly registry: Registry;
}

export function schemaOf(files: FileDescriptorSet): Schema {
  const registry = createFileRegistry(files);
  const services = [...registry.files].flatMap((file) => file.services);
  // Any server may send these error details, even if its contract does not import them.
  return { services, registry: createRegistry(file_google_rpc_error_details, registry) };
}

/** Splits `shop.orders.v1.OrderService/GetOrder`. A dot may stand for the slash. */
export function splitName(name: string): { service: string; method: string } {
  const [, service, method] = /^\/?(.+)[/.]([^/.]+)$/.exec(name) ?? [];
  if (service === undefined || method === undefined) {
    throw new Error(`"${name}" is not a method's name: write it like shop.orders.v1.OrderService/GetOrder`);
  }
  return { service, method };
}

/** Returns the full name of a service from that name or the end of it. */
export function resolveService(wanted: string, names: readonly string[]): string {
  if (names.includes(wanted)) return wanted;
  const [match, ...others] = names.filter((name) => name.endsWith(`.${wanted}`));
  if (match !== undefined && others.length === 0) return match;
  if (match !== undefined) throw new Error(`${wanted} may be ${[match, ...others].join(" or ")}: write the full name`);
  const short = names.map((name) => name.slice(name.lastIndexOf(".") + 1));
  const hint = wanted.includes(".") ? didYouMean(wanted, names) : didYouMean(wanted, short);
  throw new Error(`there is no service ${wanted}.${hint} There are: ${names.join(", ") || "none"}`);
}

export function findMethod(service: DescService, wanted: string): DescMethod {
  const found = service.methods.find(({ name }) => name === wanted);
  if (found !== undefined) return found;
  const names = service.methods.map(({ name }) => name);
  throw new Error(
    `${service.typeName} has no method ${wanted}.${didYouMean(wanted, names)} There are: ${names.join(", ") || "none"}`,
  );
}
