import type { DescOneof, Registry } from "@bufbuild/protobuf";
import type { OneofRules } from "@bufbuild/protovalidate/gen/buf/validate/validate_pb.js";
import type { Check, Column } from "./contract.js";
import { constraintName } from "./entities/constraint-name.js";
import type { EntityDraft } from "./entities/entity.js";
import { rulesInSql, type Term } from "./validation/rule-sql.js";
import { fieldRules, readOption } from "./validation/validate-options.js";

const IMPLICIT = 2;

/**
 * Adds the CHECK constraints of an entity: at most one member of a oneof is set, and the `buf.validate` rules that SQL can
 * express exactly. The other rules are checked in requests only.
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
  const required = readOption<OneofRules>(oneof.proto.options, extension)?.required === true;
  const list = columns.flatMap((column, i) => (i === 0 ? [column] : [", ", column]));
  return {
    name: constraintName(entity, oneof.name, oneof, "_oneof"),
    columns,
    sql: ["num_nonnulls(", ...list, required ? ") = 1" : ") <= 1"],
    refusesDefault: required,
  };
}

function fieldCheck(entity: EntityDraft, column: Column, registry: Registry): Check | undefined {
  const rules = fieldRules(column.desc, registry);
  if (rules === undefined) return undefined;
  const terms = rulesInSql(column, rules.required, rules.type, rules.typed);
  if (terms.length === 0) return undefined;
  const implicit = column.desc.presence === IMPLICIT;
  const zero = terms.find((term) => term.isZero !== undefined);
  const unless = rules.ignoresZero && implicit && !rules.required ? zero?.isZero : undefined;
  const all = terms.flatMap((term, i) => (i === 0 ? term.sql : [" AND ", ...term.sql]));
  return {
    name: constraintName(entity, column.name, column.desc, "_check"),
    columns: [column],
    sql: unless === undefined ? all : [...unless, " OR ", ...(terms.length === 1 ? all : ["(", ...all, ")"])],
    refusesDefault: unless === undefined && terms.some((term) => refusesDefault(column, term)),
  };
}

/** A row that does not set a column has NULL or the zero value in it. Only `required` rejects NULL. */
function refusesDefault(column: Column, term: Term): boolean {
  const isNull = column.nullable && !column.emptyIsNull;
  return isNull ? term.refusesNull : !term.holdsForZero;
}
