import { create, type DescField, type DescMessage, getOption, isFieldSet, type Message } from "@bufbuild/protobuf";
import { copyMessage } from "../codec/copy.js";
import { setField, valueOfField } from "../codec/field.js";
import { FieldBehavior, field_behavior } from "../options/google/api/field_behavior_pb.js";

/**
 * Returns the response to a deferred call: the enum field that says so, and the request's fields of the same name and type. If the
 * request contains the response's type, as in CreateOrder, the response has all of that, except fields that only the service sets.
 */
export function acceptedAnswer(
  input: DescMessage,
  output: DescMessage,
  request: Message,
  { field, value }: { readonly field: string; readonly value: number },
): Message {
  const resource = input.fields.find((candidate) => candidate.fieldKind === "message" && candidate.message === output);
  const answer = create(output);
  const copy = (source: Message, fields: readonly DescField[]) => {
    for (const own of fields) {
      const other = output.fields.find((candidate) => isSame(candidate, own));
      if (other === undefined || isOutputOnly(other) || !isFieldSet(source, own)) continue;
      setField(answer, other, valueOfField(source, own));
    }
  };
  if (resource !== undefined && isFieldSet(request, resource)) {
    copy(valueOfField(request, resource) as Message, output.fields);
  }
  copy(request, input.fields);
  setField(answer, output.field[field]!, value);
  // The copied values may be shared with the request.
  return copyMessage(answer);
}

function isSame(one: DescField, other: DescField): boolean {
  const type = typeOf(other);
  return one.name === other.name && typeOf(one).every((part, position) => part === type[position]);
}

function typeOf(field: DescField): unknown[] {
  const { fieldKind, scalar, message } = field;
  const inside = fieldKind === "map" ? field.mapKey : fieldKind === "list" ? field.listKind : undefined;
  return [fieldKind, scalar, message, field.enum, inside];
}

function isOutputOnly(field: DescField): boolean {
  return getOption(field, field_behavior).includes(FieldBehavior.OUTPUT_ONLY);
}
