import { type DescField, ScalarType } from "@bufbuild/protobuf";

/** How a type of scalars is written and read: the methods' name, its wire type, and its zero in TypeScript. */
export interface Scalar {
  readonly method: string;
  readonly wireType: number;
  readonly zero: string;
}

const scalars: Readonly<Record<ScalarType, Scalar>> = {
  [ScalarType.DOUBLE]: { method: "double", wireType: 1, zero: "0" },
  [ScalarType.FLOAT]: { method: "float", wireType: 5, zero: "0" },
  [ScalarType.INT64]: { method: "int64", wireType: 0, zero: "0n" },
  [ScalarType.UINT64]: { method: "uint64", wireType: 0, zero: "0n" },
  [ScalarType.INT32]: { method: "int32", wireType: 0, zero: "0" },
  [ScalarType.FIXED64]: { method: "fixed64", wireType: 1, zero: "0n" },
  [ScalarType.FIXED32]: { method: "fixed32", wireType: 5, zero: "0" },
  [ScalarType.BOOL]: { method: "bool", wireType: 0, zero: "false" },
  [ScalarType.STRING]: { method: "string", wireType: 2, zero: '""' },
  [ScalarType.BYTES]: { method: "bytes", wireType: 2, zero: "" },
  [ScalarType.UINT32]: { method: "uint32", wireType: 0, zero: "0" },
  [ScalarType.SFIXED32]: { method: "sfixed32", wireType: 5, zero: "0" },
  [ScalarType.SFIXED64]: { method: "sfixed64", wireType: 1, zero: "0n" },
  [ScalarType.SINT32]: { method: "sint32", wireType: 0, zero: "0" },
  [ScalarType.SINT64]: { method: "sint64", wireType: 0, zero: "0n" },
};

/** An enum's number is written like an int32. */
export function scalarOf(type: ScalarType | undefined): Scalar {
  return scalars[type ?? ScalarType.INT32];
}

/** The wire types of what has its length before it, and of what has its end behind it. */
export const LENGTH = 2;
export const GROUP = 3;

/** The wire type of one value: of an element of a list, of the value of a map. */
export function wireTypeOf(field: DescField): number {
  if (field.message === undefined) return scalarOf(field.scalar).wireType;
  return "delimitedEncoding" in field && field.delimitedEncoding ? GROUP : LENGTH;
}

/** What stands before a value on the wire. */
export function tagOf(number: number, wireType: number): number {
  return ((number << 3) | wireType) >>> 0;
}

/** Whether a field of 64 bits is a text in TypeScript: `jstype = JS_STRING`. */
export function isText(field: DescField): boolean {
  return "longAsString" in field && field.longAsString === true;
}

/** The numbers of FeatureSet.FieldPresence. */
export const IMPLICIT = 2;
export const REQUIRED = 3;

/** Whether messages have their defaults on a prototype, so that what is not set can be told by what is not their own. */
export function inherits(message: DescField["parent"]): boolean {
  switch (message.file.edition) {
    case 998: // proto2
      return true;
    case 999: // proto3
      return false;
    default:
      return message.fields.some(isInherited);
  }
}

/** Whether a message that inherits defaults inherits this one's. */
export function isInherited({ presence, fieldKind, oneof }: DescField): boolean {
  return presence !== IMPLICIT && oneof === undefined && (fieldKind === "scalar" || fieldKind === "enum");
}
