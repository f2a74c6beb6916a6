import { create, createFileRegistry, type DescMessage } from "@bufbuild/protobuf";
import {
  type FieldDescriptorProtoSchema,
  FileDescriptorSetSchema,
  FieldDescriptorProto_Label as Label,
  FieldDescriptorProto_Type as Type,
} from "@bufbuild/protobuf/wkt";
import { expect, test } from "vitest";
import { shapeOf } from "./shape.js";

type Field = Parameters<typeof create<typeof FieldDescriptorProtoSchema>>[1];

/** A message Row with these fields, each of which may be a Part with `part`. */
function row(fields: Field[], part: Field[] = []): DescMessage {
  const optional = (field: Field) => ({ label: Label.OPTIONAL, ...field });
  const file = create(FileDescriptorSetSchema, {
    file: [
      {
        name: "row.proto",
        package: "test",
        syntax: "proto3",
        messageType: [
          { name: "Row", field: fields.map(optional) },
          { name: "Part", field: part.map(optional) },
        ],
      },
    ],
  });
  return createFileRegistry(file).getMessage("test.Row")!;
}

const a = { name: "a", number: 1, type: Type.STRING };
const b = { name: "b", number: 2, type: Type.MESSAGE, typeName: ".test.Part" };
const c = { name: "c", number: 1, type: Type.INT64 };

test("a shape is its fields' numbers and types, whatever their names and order", () => {
  expect(shapeOf(row([a, b]))).toBe(shapeOf(row([b, { ...a, name: "renamed" }])));
});

test("a field that is new, gone, of another number or type, here or in a message inside, makes another shape", () => {
  const shapes = [
    row([a, b]),
    row([a]),
    row([{ ...a, number: 3 }, b]),
    row([{ ...a, type: Type.BYTES }, b]),
    row([{ ...a, label: Label.REPEATED }, b]),
    row([a, b], [c]),
    row([a, b], [{ ...c, type: Type.SINT64 }]),
  ].map(shapeOf);
  expect(new Set(shapes).size).toBe(shapes.length);
});
