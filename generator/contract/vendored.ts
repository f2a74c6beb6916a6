import { wktPublicImportPaths } from "@bufbuild/protobuf/codegenv2";

const runtime = "@protoscaffold/runtime/codegen/options";

/** Files that lend words to contracts: their generated code comes with a package, never with a project. */
const lenders: Readonly<Record<string, string>> = {
  "buf/validate/validate": "@bufbuild/protovalidate/gen",
  "google/api/annotations": runtime,
  "google/api/field_behavior": runtime,
  "google/api/http": runtime,
  "google/api/resource": runtime,
  "google/rpc/error_details": runtime,
  "google/rpc/status": runtime,
  "grpc/health/v1/health": runtime,
  "grpc/reflection/v1/reflection": runtime,
  "grpc/reflection/v1alpha/reflection": runtime,
  "scaffold/v1/options": runtime,
};

/** Where generated code of these files is imported from: `[pattern, target]` as protoc-gen-es's rewrite_imports takes them. */
export const rewrites: readonly (readonly [pattern: string, target: string])[] = Object.entries(lenders).map(
  ([name, from]) => [`./${name}_pb.js`, from],
);

/** Whether a .proto file (its import path) is one of the project's own, rather than one that lends words. */
export function isOwn(path: string): boolean {
  return !Object.hasOwn(wktPublicImportPaths, path) && !Object.hasOwn(lenders, path.replace(/\.proto$/, ""));
}

/** Protobuf's own files whose messages have codecs in the runtime library. */
export const codecsOfRuntime: readonly string[] = [
  "any",
  "duration",
  "empty",
  "field_mask",
  "struct",
  "timestamp",
  "wrappers",
].map((name) => `google/protobuf/${name}`);

/** Whose `_codec` file has the messages of a .proto file (its path less ".proto"); undefined if nobody's has. */
export function codecHome(path: string): "project" | "runtime" | undefined {
  if (codecsOfRuntime.includes(path)) return "runtime";
  return isOwn(`${path}.proto`) ? "project" : undefined;
}
