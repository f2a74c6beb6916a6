import { createRegistry, type DescFile, type Registry } from "@bufbuild/protobuf";
import { file_google_rpc_error_details } from "../../options/google/rpc/error_details_pb.js";
import type { System } from "../../spec/system.js";

/** Returns the message types that a google.protobuf.Any of a system's responses may contain: its own, and google.rpc's error details. */
export function typesOf(system: System): Registry {
  const files = new Set<DescFile>([file_google_rpc_error_details]);
  for (const { service } of system.services) files.add(service.file);
  for (const file of files) {
    for (const dependency of file.dependencies) files.add(dependency);
  }
  return createRegistry(...files);
}
