import { create } from "@bufbuild/protobuf";
import { CodeGeneratorRequestSchema, type FileDescriptorSet } from "@bufbuild/protobuf/wkt";
import { isOwn } from "../contract/vendored.js";
import type { EmittedFile } from "../emit/emitter.js";
import { parameter, withoutParameters } from "./parameter.js";
import { protocGenEs } from "./protoplugin.js";

/** Returns the `_pb` files, as protoc-gen-es prints them, of the project's own files in an image. */
export function printMessages({ file: protoFile }: FileDescriptorSet): EmittedFile[] {
  const fileToGenerate = protoFile.map(({ name }) => name).filter(isOwn);
  const request = create(CodeGeneratorRequestSchema, { fileToGenerate, protoFile, parameter });
  return protocGenEs
    .run(request)
    .file.map(({ name, content }) => ({ path: name, content: withoutParameters(content) }));
}
