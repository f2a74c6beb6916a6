import { create, createFileRegistry, type DescService } from "@bufbuild/protobuf";
import {
  FileDescriptorProtoSchema,
  file_google_protobuf_any,
  file_google_protobuf_duration,
  file_google_protobuf_field_mask,
  file_google_protobuf_struct,
  file_google_protobuf_timestamp,
  file_google_protobuf_wrappers,
  FieldDescriptorProto_Label as Label,
  FieldDescriptorProto_Type as Type,
} from "@bufbuild/protobuf/wkt";

const wellKnown = [
  file_google_protobuf_any,
  file_google_protobuf_duration,
  file_google_protobuf_field_mask,
  file_google_protobuf_struct,
  file_google_protobuf_timestamp,
  file_google_protobuf_wrappers,
];

const field = (number: number, name: string, type: Type, rest: object = {}) => ({
  number,
  name,
  jsonName: name.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase()),
  type,
  ...rest,
});
const message = (number: number, name: string, typeName: string, rest: object = {}) =>
  field(number, name, Type.MESSAGE, { typeName, ...rest });
const repeated = { label: Label.REPEATED };

const file = create(FileDescriptorProtoSchema, {
  name: "testing/kinds.proto",
  package: "testing",
  syntax: "proto3",
  dependency: wellKnown.map(({ proto }) => proto.name),
  messageType: [
    {
      name: "Kinds",
      field: [
        field(1, "flag", Type.BOOL),
        field(2, "big_count", Type.INT64),
        field(3, "data", Type.BYTES),
        field(4, "color", Type.ENUM, { typeName: ".testing.Color" }),
        field(5, "colors", Type.ENUM, { typeName: ".testing.Color", ...repeated }),
        field(6, "tags", Type.STRING, repeated),
        message(7, "at", ".google.protobuf.Timestamp"),
        message(8, "maybe", ".google.protobuf.BoolValue"),
        message(9, "nested", ".testing.Nested"),
        field(10, "left", Type.STRING, { oneofIndex: 0 }),
        field(11, "right", Type.STRING, { oneofIndex: 0 }),
        message(12, "labels", ".testing.Kinds.LabelsEntry", repeated),
        message(13, "items", ".testing.Nested", repeated),
        message(14, "update_mask", ".google.protobuf.FieldMask"),
        field(15, "ratio", Type.DOUBLE),
        message(16, "anything", ".google.protobuf.Any"),
        field(17, "small", Type.INT32),
        message(18, "held", ".google.protobuf.Struct"),
        message(19, "lasting", ".google.protobuf.Duration"),
        message(20, "first", ".testing.Nested", { oneofIndex: 1 }),
        message(21, "second", ".testing.Nested", { oneofIndex: 1 }),
        field(22, "line_1", Type.STRING),
      ],
      oneofDecl: [{ name: "side" }, { name: "place" }],
      nestedType: [
        {
          name: "LabelsEntry",
          options: { mapEntry: true },
          field: [field(1, "key", Type.STRING), field(2, "value", Type.STRING)],
        },
      ],
    },
    {
      name: "Nested",
      field: [
        field(1, "long_name", Type.STRING),
        message(2, "inner", ".testing.Nested"),
        message(3, "labels", ".testing.Nested.LabelsEntry", repeated),
      ],
      nestedType: [
        {
          name: "LabelsEntry",
          options: { mapEntry: true },
          field: [field(1, "key", Type.STRING), field(2, "value", Type.STRING)],
        },
      ],
    },
  ],
  enumType: [
    {
      name: "Color",
      value: [
        { name: "COLOR_UNSPECIFIED", number: 0 },
        { name: "COLOR_RED", number: 1 },
        { name: "COLOR_BLUE", number: 2 },
      ],
    },
  ],
  service: [
    { name: "KindService", method: [{ name: "Echo", inputType: ".testing.Kinds", outputType: ".testing.Kinds" }] },
  ],
});

/** A service with one method, Echo, whose request and response is a message with a field of every kind. */
export const KindService: DescService = createFileRegistry(file, (name) =>
  wellKnown.find(({ proto }) => proto.name === name),
).getService("testing.KindService")!;
