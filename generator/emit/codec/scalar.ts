import { type DescField, ScalarType } from "@bufbuild/protobuf";

/** The encoding of a scalar type: the methods' name, the wire type, and the default value in TypeScript. */
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

/** An enum is encoded like an int32. */
export function scalarOf(type: ScalarType | undefined): Scalar {
  return scalars[type ?? ScalarType.INT32];
}

/** The wire types of length-delimited values and of groups. */
export const LENGTH = 2;
export const GROUP = 3;

/** Returns the wire type of one value: of a list's element, or of a map's value. */
export function wireTypeOf(field: DescField): number {
  if (field.message === undefined) return scalarOf(field.scalar).wireType;
  return "delimitedEncoding" in field && field.delimitedEncoding ? GROUP : LENGTH;
}

/** Returns the tag of a field. */
export function tagOf(number: number, wireType: number): number {
  return ((number << 3) | wireType) >>> 0;
}

/** Returns whether a 64-bit field is a string in TypeScript: `jstype = JS_STRING`. */
export function isText(field: DescField): boolean {
  return "longAsString" in field && field.longAsString === true;
}

/** The numbers of FeatureSet.FieldPresence. */
export const IMPLICIT = 2;
export const REQUIRED = 3;

/** Returns whether messages have their defaults on a prototype: then own properties are the fields that are set. */
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

/** Returns whether a message that inherits defaults inherits this field's. */
export function isInherited({ presence, fieldKind, oneof }: DescField): boolean {
  return presence !== IMPLICIT && oneof === undefined && (fieldKind === "scalar" || fieldKind === "enum");
}
