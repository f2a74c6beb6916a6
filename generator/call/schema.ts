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

/** What can be called, and all types that its messages may hold. */
export interface Schema {
  readonly services: readonly DescService[];
  readonly registry: Registry;
}

export function schemaOf(files: FileDescriptorSet): Schema {
  const registry = createFileRegistry(files);
  const services = [...registry.files].flatMap((file) => file.services);
  // Any server may answer with these, whether its contract imports them or not.
  return { services, registry: createRegistry(file_google_rpc_error_details, registry) };
}

/** `shop.orders.v1.OrderService/GetOrder`, taken apart; a dot will do for the slash. */
export function splitName(name: string): { service: string; method: string } {
  const [, service, method] = /^\/?(.+)[/.]([^/.]+)$/.exec(name) ?? [];
  if (service === undefined || method === undefined) {
    throw new Error(`"${name}" is not a method's name: write it like shop.orders.v1.OrderService/GetOrder`);
  }
  return { service, method };
}

/** The full name of a service, given that or the end of it. */
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
