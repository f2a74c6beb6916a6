import { create, type DescField, type DescMessage, getOption, isFieldSet, type Message } from "@bufbuild/protobuf";
import { copyMessage } from "../codec/copy.js";
import { setField, valueOfField } from "../codec/field.js";
import { FieldBehavior, field_behavior } from "../options/google/api/field_behavior_pb.js";

/**
 * The answer to a call that was taken down and is still to be made: the enum field that says so, and what of the request
 * has the same name and type. A request that holds what is answered with, as in CreateOrder, gives all of that, less
 * what only the service sets.
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
  // What was copied may still be the request's own.
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
