import { wktPublicImportPaths } from "@bufbuild/protobuf/codegenv2";

const runtime = "@protoscaffold/runtime/codegen/options";

/** Vendored protos: the vocabulary that contracts import. A package has their generated code; a project has none. */
const vendoredCode: Readonly<Record<string, string>> = {
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

/** The modules that have the generated code of these files: `[pattern, target]`, as protoc-gen-es's rewrite_imports takes them. */
export const rewrites: readonly (readonly [pattern: string, target: string])[] = Object.entries(vendoredCode).map(
  ([name, from]) => [`./${name}_pb.js`, from],
);

/** Returns whether a .proto file (by its import path) belongs to the project rather than to the vendored protos. */
export function isOwn(path: string): boolean {
  return !Object.hasOwn(wktPublicImportPaths, path) && !Object.hasOwn(vendoredCode, path.replace(/\.proto$/, ""));
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

/** Returns which `_codec` file has the messages of a .proto file (a path without ".proto"). Undefined: none has. */
export function codecHome(path: string): "project" | "runtime" | undefined {
  if (codecsOfRuntime.includes(path)) return "runtime";
  return isOwn(`${path}.proto`) ? "project" : undefined;
}
