import {
  type DescExtension,
  type DescField,
  type DescMessage,
  getExtension,
  hasExtension,
  isFieldSet,
  type Message,
  type Registry,
} from "@bufbuild/protobuf";
import type { FieldRules, MessageRules } from "@bufbuild/protovalidate/gen/buf/validate/validate_pb.js";

const IF_ZERO_VALUE = 1;
const ALWAYS = 3;

/** The `buf.validate` rules of a field. */
export interface Rules {
  readonly required: boolean;
  /** Whether the rules ignore the zero value. */
  readonly ignoresZero: boolean;
  /** The kind of value that they constrain: "int32". Undefined: no particular kind. */
  readonly type: FieldRules["type"]["case"];
  /** The rules for that kind, by name: `{ gte: 0, lt: 10 }`. */
  readonly typed: Readonly<Record<string, unknown>> | undefined;
  /** CEL expressions. `this` is the field's value. */
  readonly expressions: readonly string[];
}

/**
 * Returns the rules of a field, or undefined if it has none or they are ignored.
 *
 * @param registry where the options are looked up: a contract that does not know them has no such rules
 */
export function fieldRules(field: DescField, registry: Registry): Rules | undefined {
  const extension = registry.getExtension("buf.validate.field");
  const rules = readOption<FieldRules>(field.proto.options, extension);
  if (rules === undefined || rules.ignore === ALWAYS) return undefined;
  const { type, required } = rules;
  const typed = type.case === undefined ? undefined : given(type.value, messageOf(extension, type.case));
  const ignoresZero = rules.ignore === IF_ZERO_VALUE;
  return { required, ignoresZero, type: type.case, typed, expressions: expressionsOf(rules) };
}

/** Returns the CEL expressions of a message's rules. */
export function messageExpressions(message: DescMessage, registry: Registry): string[] {
  const extension = registry.getExtension("buf.validate.message");
  const rules = readOption<MessageRules>(message.proto.options, extension);
  return rules === undefined ? [] : expressionsOf(rules);
}

function expressionsOf({ cel, celExpression }: FieldRules | MessageRules): string[] {
  return [...cel.map(({ expression }) => expression), ...celExpression];
}

/** Returns an option by its name: the tool need not know it when it is built, only the contract. */
export function readOption<T>(options: Message | undefined, extension: DescExtension | undefined): T | undefined {
  if (options === undefined || extension === undefined || !hasExtension(options, extension)) return undefined;
  return getExtension(options, extension) as T;
}

function messageOf(extension: DescExtension | undefined, field: string): DescMessage | undefined {
  return extension?.message?.fields.find(({ localName }) => localName === field)?.message;
}

/** Returns the rules that are set, by name. `gt` and `lt` are members of oneofs. */
function given(rules: Message, schema: DescMessage | undefined): Readonly<Record<string, unknown>> {
  const values: Record<string, unknown> = {};
  for (const field of schema?.fields ?? []) {
    if (!isFieldSet(rules, field)) continue;
    const holder = rules as unknown as Record<string, unknown>;
    const inOneof = field.oneof && (holder[field.oneof.localName] as { value: unknown });
    values[field.name] = inOneof ? inOneof.value : holder[field.localName];
  }
  return values;
}
