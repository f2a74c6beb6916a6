import { create } from "@bufbuild/protobuf";
import { CodeGeneratorRequestSchema, type FileDescriptorSet } from "@bufbuild/protobuf/wkt";
import { isOwn, rewrites } from "../contract/vendored.js";
import { protocGenEs } from "./protoplugin.js";

/** What a plugin has printed. */
export interface PrintedFile {
  readonly name: string;
  readonly content: string;
}

/** What a plugin is told: in which language, and where the code of words is that others lend. */
export const parameter = [
  "target=ts",
  "import_extension=js",
  ...rewrites.map(([from, to]) => `rewrite_imports=${from}:${to}`),
].join(",");

/** `_pb`, as protoc-gen-es prints it, of the project's own files in an image. */
export function printMessages({ file: protoFile }: FileDescriptorSet): PrintedFile[] {
  const fileToGenerate = protoFile.map(({ name }) => name).filter(isOwn);
  const request = create(CodeGeneratorRequestSchema, { fileToGenerate, protoFile, parameter });
  return protocGenEs.run(request).file.map(({ name, content }) => ({ name, content }));
}
