import { create, createFileRegistry, type DescMethod, setExtension } from "@bufbuild/protobuf";
import {
  DescriptorProtoSchema,
  FileDescriptorProtoSchema,
  FileDescriptorSetSchema,
  MessageOptionsSchema,
} from "@bufbuild/protobuf/wkt";
import { file_buf_validate_validate, message } from "@bufbuild/protovalidate/gen/buf/validate/validate_pb.js";
import type { ServiceDefinition } from "../service/define.js";
import { parcels } from "./parcels.js";

const options = create(MessageOptionsSchema);
setExtension(options, message, { cel: [{ id: "misruled", expression: "this.place ==" }] } as never);
const file = create(FileDescriptorProtoSchema, {
  name: "misruled.proto",
  package: "acme.parcels.v1",
  dependency: [file_buf_validate_validate.proto.name],
  messageType: [create(DescriptorProtoSchema, { name: "Misruled", options })],
  syntax: "proto3",
});
const files = [...file_buf_validate_validate.dependencies.map(({ proto }) => proto), file_buf_validate_validate.proto];
const registry = createFileRegistry(create(FileDescriptorSetSchema, { file: [...files, file] }));
const input = registry.getMessage("acme.parcels.v1.Misruled")!;

const { spec } = parcels;

/** The parcel service, with a method whose request has a rule that does not compile. */
export const misruled: ServiceDefinition = {
  ...parcels,
  spec: { ...spec, service: { ...spec.service, methods: spec.service.methods.map(misrule) } },
};

function misrule(method: DescMethod): DescMethod {
  return method.localName === "findParcel" ? ({ ...method, input } as DescMethod) : method;
}
