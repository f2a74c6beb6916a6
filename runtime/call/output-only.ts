import {
  clearField,
  type DescField,
  type DescMessage,
  type DescOneof,
  getOption,
  hasOption,
  isFieldSet,
  type Message,
} from "@bufbuild/protobuf";
import { anyInside } from "../codec/any-inside.js";
import { valueOfField } from "../codec/field.js";
import { FieldBehavior, field_behavior } from "../options/google/api/field_behavior_pb.js";

/** Clears a message's fields that only the service sets. */
export type ClearOutputOnly = (message: Message) => void;

/** What is to be done for messages of one type. */
interface Plan {
  readonly output: readonly DescField[];
  /** Fields with messages that have some such fields in them. */
  readonly inner: readonly (DescField & { readonly message: DescMessage })[];
}

const plans = new WeakMap<DescMessage, Plan>();

/**
 * Returns what clears the fields marked OUTPUT_ONLY (AIP-203) in a request and in all messages that are in it: what a
 * caller says of them means nothing, and is no error. Undefined if the type has none, at any depth.
 *
 * An etag and an identifier are kept, for a request names by them what it is about.
 */
export function clearsOutputOnly(schema: DescMessage): ClearOutputOnly | undefined {
  if (!hasOutputOnly(schema)) return undefined;
  return (message) => clear(schema, message);
}

function clear(schema: DescMessage, message: Message): void {
  const { output, inner } = planOf(schema);
  for (const field of output) if (isFieldSet(message, field)) clearField(message, field);
  for (const field of inner) for (const each of messagesIn(field, message)) clear(field.message, each);
}

/** The messages that a field holds. */
export function messagesIn(field: DescField, message: Message): readonly Message[] {
  const value = valueOfField(message, field);
  if (value === undefined) return [];
  if (field.fieldKind === "list") return value as Message[];
  return field.fieldKind === "map" ? Object.values(value as Record<string, Message>) : [value as Message];
}

function planOf(schema: DescMessage): Plan {
  let plan = plans.get(schema);
  if (plan === undefined) {
    const inner = schema.fields.filter(
      (field) => !isOutputOnly(field) && field.message !== undefined && hasOutputOnly(field.message),
    );
    plan = { output: schema.fields.filter(isOutputOnly), inner: inner as unknown as Plan["inner"] };
    plans.set(schema, plan);
  }
  return plan;
}

/** Whether only the service sets a field of a message of this type, or of one inside it. */
const hasOutputOnly = anyInside(({ fields }) => fields.some(isOutputOnly));

/** Whether only the service sets a field. */
export function isOutputOnly(field: DescField): boolean {
  if (field.name === "etag" || !hasOption(field, field_behavior)) return false;
  const behaviors = getOption(field, field_behavior);
  return behaviors.includes(FieldBehavior.OUTPUT_ONLY) && !behaviors.includes(FieldBehavior.IDENTIFIER);
}

/** Whether a member of a oneof is set that callers may set. */
function isReplaced({ fields }: DescOneof, message: Message): boolean {
  return fields.some((field) => isFieldSet(message, field) && !isOutputOnly(field));
}

/**
 * Gives a message that replaces another one the fields that only the service sets, at every depth: those of the messages
 * in its fields and maps. In lists nobody can tell which message replaces which. Of a oneof, one that only the service sets
 * stays until another member takes its place.
 */
export function keepOutputOnly(schema: DescMessage, before: Message, after: Message): void {
  const { output, inner } = planOf(schema);
  const [from, to] = [before, after] as unknown as Record<string, unknown>[];
  for (const field of output) {
    const name = field.oneof?.localName ?? field.localName;
    if (!isFieldSet(before, field)) {
      if (isFieldSet(after, field)) clearField(after, field);
    } else if (field.oneof === undefined || !isReplaced(field.oneof, after)) {
      to![name] = from![name];
    }
  }
  for (const field of inner) {
    if (field.fieldKind === "map") {
      const [olds, news] = [from, to].map((message) => message![field.localName] as Record<string, Message>);
      for (const key of Object.keys(news!)) {
        if (Object.hasOwn(olds!, key)) keepOutputOnly(field.message, olds![key]!, news![key]!);
      }
    } else if (field.fieldKind === "message") {
      const [old] = messagesIn(field, before);
      const [now] = messagesIn(field, after);
      if (old !== undefined && now !== undefined) keepOutputOnly(field.message, old, now);
    }
  }
}
