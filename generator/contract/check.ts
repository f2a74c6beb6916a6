import {
  type DescExtension,
  type DescMessage,
  type DescOneof,
  getExtension,
  hasExtension,
  isFieldSet,
  type Message,
  type Registry,
} from "@bufbuild/protobuf";
import type { FieldRules, OneofRules } from "@bufbuild/protovalidate/gen/buf/validate/validate_pb.js";
import { constraintName } from "./constraint-name.js";
import type { Check, Column } from "./contract.js";
import type { EntityDraft } from "./entity.js";
import { rulesInSql, type Term } from "./rule-sql.js";

const IMPLICIT = 2;
const IF_ZERO_VALUE = 1;
const ALWAYS = 3;

/**
 * Adds what must hold of an entity's rows: that a oneof has one member at most, and those `buf.validate` rules that SQL
 * says in the same way. What it cannot say is checked in requests alone.
 *
 * @param registry where the options are looked up: a contract that does not know them has no such rules
 */
export function addChecks(entity: EntityDraft, registry: Registry): void {
  for (const oneof of entity.desc.oneofs) {
    const columns = entity.columns.filter((column) => column.desc.oneof === oneof);
    if (columns.length > 0) entity.checks.push(oneofCheck(entity, oneof, columns, registry));
  }
  for (const column of entity.columns) {
    const check = fieldCheck(entity, column, registry);
    if (check !== undefined) entity.checks.push(check);
  }
}

function oneofCheck(entity: EntityDraft, oneof: DescOneof, columns: readonly Column[], registry: Registry): Check {
  const extension = registry.getExtension("buf.validate.oneof");
  const required = read<OneofRules>(oneof.proto.options, extension)?.required === true;
  const list = columns.flatMap((column, i) => (i === 0 ? [column] : [", ", column]));
  return {
    name: constraintName(entity, oneof.name, oneof, "_oneof"),
    columns,
    sql: ["num_nonnulls(", ...list, required ? ") = 1" : ") <= 1"],
    refusesDefault: required,
  };
}

function fieldCheck(entity: EntityDraft, column: Column, registry: Registry): Check | undefined {
  const extension = registry.getExtension("buf.validate.field");
  const rules = read<FieldRules>(column.desc.proto.options, extension);
  if (rules === undefined || rules.ignore === ALWAYS) return undefined;
  const typed =
    rules.type.case === undefined ? undefined : given(rules.type.value, messageOf(extension, rules.type.case));
  const terms = rulesInSql(column, rules.required, rules.type.case, typed);
  if (terms.length === 0) return undefined;
  const implicit = column.desc.presence === IMPLICIT;
  const zero = terms.find((term) => term.isZero !== undefined);
  const unless = rules.ignore === IF_ZERO_VALUE && implicit && !rules.required ? zero?.isZero : undefined;
  const all = terms.flatMap((term, i) => (i === 0 ? term.sql : [" AND ", ...term.sql]));
  return {
    name: constraintName(entity, column.name, column.desc, "_check"),
    columns: [column],
    sql: unless === undefined ? all : [...unless, " OR ", ...(terms.length === 1 ? all : ["(", ...all, ")"])],
    refusesDefault: unless === undefined && terms.some((term) => refusesDefault(column, term)),
  };
}

/** A row that says nothing of a column has NULL in it, to which no rule but `required` objects, or the zero value. */
function refusesDefault(column: Column, term: Term): boolean {
  const isNull = column.nullable && !column.emptyIsNull;
  return isNull ? term.refusesNull : !term.holdsForZero;
}

/** An option that need not be known when the tool is built, only to the contract. */
function read<T>(options: Message | undefined, extension: DescExtension | undefined): T | undefined {
  if (options === undefined || extension === undefined || !hasExtension(options, extension)) return undefined;
  return getExtension(options, extension) as T;
}

function messageOf(extension: DescExtension | undefined, field: string): DescMessage | undefined {
  return extension?.message?.fields.find(({ localName }) => localName === field)?.message;
}

/** The rules that are set, by name; `gt` and `lt` are members of oneofs. */
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
