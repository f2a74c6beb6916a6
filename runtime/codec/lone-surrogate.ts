import { type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf";
import { anyInside } from "./any-inside.js";
import { EncodeError } from "./encode-error.js";
import { type Search, searchMessage } from "./search.js";

/** A string with a lone surrogate, which UTF-8 cannot encode. Codecs refuse it instead of replacing it with U+FFFD. */
export class LoneSurrogateError extends EncodeError {
  /** @param field the string's path, "shop.orders.v1.Order.lines[1].product_id", if it is known */
  constructor(field = "a string") {
    super(`${field} has a lone surrogate, half a character: cut strings between characters, or use toWellFormed()`);
  }

  /** Returns the same error with the string's path, which is searched for only after a failure so that the success path pays nothing. */
  in(schema: DescMessage, message: object): LoneSurrogateError {
    const place = loneSurrogateIn(schema, message);
    return place === undefined ? this : new LoneSurrogateError(`${schema.typeName}.${place}`);
  }
}

/**
 * Returns the path of the first string with a lone surrogate in a message or an init object for `create`: "lines[1].product_id".
 * Returns undefined if no string has one.
 */
export function loneSurrogateIn(schema: DescMessage, message: object): string | undefined {
  return searchMessage(schema, message, loneSurrogates)?.path;
}

const loneSurrogates: Search<true> = {
  text: (value) => (value.isWellFormed() ? undefined : true),
  fields: textFieldsOf,
};

/** The fields of each type that are strings or may contain some. */
const textFields = new WeakMap<DescMessage, readonly DescField[]>();

function textFieldsOf(schema: DescMessage): readonly DescField[] {
  let fields = textFields.get(schema);
  if (fields === undefined) {
    fields = schema.fields.filter((field) => isText(field) || (field.message !== undefined && hasText(field.message)));
    textFields.set(schema, fields);
  }
  return fields;
}

function isText(field: DescField): boolean {
  if (field.fieldKind === "map" && field.mapKey === ScalarType.STRING) return true;
  return field.message === undefined && field.scalar === ScalarType.STRING;
}

const hasText = anyInside(({ fields }) => fields.some(isText));
