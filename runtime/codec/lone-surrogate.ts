import { type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf";
import { anyInside } from "./any-inside.js";
import { EncodeError } from "./encode-error.js";
import { type Search, searchMessage } from "./search.js";

/** A string with half a character of UTF-16, which UTF-8 cannot say. Codecs refuse it: in its place would be U+FFFD. */
export class LoneSurrogateError extends EncodeError {
  /** @param field the string's place, "shop.orders.v1.Order.lines[1].product_id", where it is known */
  constructor(field = "a string") {
    super(`${field} has a lone surrogate, half a character: cut strings between characters, or use toWellFormed()`);
  }

  /** The same error with the string's place, which is looked for only now: what is right costs nothing. */
  in(schema: DescMessage, message: object): LoneSurrogateError {
    const place = loneSurrogateIn(schema, message);
    return place === undefined ? this : new LoneSurrogateError(`${schema.typeName}.${place}`);
  }
}

/**
 * The place of the first string with a lone surrogate in a message, or in what `create` would make one of:
 * "lines[1].product_id". Undefined if there is none.
 */
export function loneSurrogateIn(schema: DescMessage, message: object): string | undefined {
  return searchMessage(schema, message, loneSurrogates)?.path;
}

const loneSurrogates: Search<true> = {
  text: (value) => (value.isWellFormed() ? undefined : true),
  fields: textFieldsOf,
};

/** The fields of each type that are strings, or may have some in them. */
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
