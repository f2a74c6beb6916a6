import type { AnyDesc } from "@bufbuild/protobuf";
import { entity as entityOption } from "@protoscaffold/runtime/codegen/options/scaffold/v1/options_pb.js";
import type { Rule } from "../../rules/catalogue.js";
import type { Entity, Index, Service } from "../contract.js";
import type { Findings } from "../findings/findings.js";
import { upperFirst } from "../names/names.js";
import { optionPath } from "../option-path.js";
import { longestName } from "./sql-name.js";

const suffix = "_pkey";

/**
 * Finds conflicting names in a service's database: in PostgreSQL the tables and indexes share one namespace, and so do the
 * constraints of a table.
 */
export function checkRelations({ entities }: Service, findings: Findings): void {
  const taken = new Map<string, string>();
  const claim = (name: string, what: string, rule: Rule, desc: AnyDesc, option: readonly number[], wayOut: string) => {
    const other = taken.get(name);
    if (other !== undefined) {
      findings.error(
        rule,
        desc,
        `${upperFirst(what)} and ${other} would both be called ${name} in PostgreSQL: ${wayOut}.`,
        option,
      );
    }
    taken.set(name, other ?? what);
    return other === undefined;
  };
  for (const { desc, table } of entities) {
    const what = `the table of ${desc.name}`;
    claim(table, what, "ENTITY_TABLE_TAKEN", desc, [], "name one in its option table");
  }
  for (const { desc, table } of entities) {
    const key = table.slice(0, longestName - suffix.length) + suffix;
    // PostgreSQL numbers conflicting primary keys, but not tables.
    const other = entities.find((entity) => entity.table === key);
    if (other === undefined) continue;
    const text = `The table of ${other.desc.name} and the primary key of ${desc.name} would both be called ${key} in PostgreSQL: name one in its option table.`;
    findings.error("ENTITY_TABLE_TAKEN", other.desc, text);
  }
  for (const entity of entities) {
    const kept: Index[] = [];
    for (const [position, index] of entity.indexes.entries()) {
      const twin = kept.find((other) => isTwin(index, other));
      const at = optionPath(entityOption, "index", position);
      if (twin !== undefined) {
        findings.error(
          "ENTITY_INDEX",
          entity.desc,
          `The index on ${fields(index)} stands there twice: remove one.`,
          at,
        );
        continue;
      }
      const what = `the index on ${fields(index)} of ${entity.desc.name}`;
      const wayOut = "give a column another name, in its option column, or the table, in its option table";
      if (claim(index.name, what, "ENTITY_INDEX", entity.desc, at, wayOut)) kept.push(index);
    }
    // If the finding is ignored, the index is left out.
    Object.assign(entity, { indexes: kept });
    checkConstraints(entity, findings);
  }
}

function checkConstraints({ desc, checks, references }: Entity, findings: Findings): void {
  const names = [...checks, ...references].map(({ name }) => name);
  const twin = names.find((name, i) => names.indexOf(name) !== i);
  if (twin === undefined) return;
  const text = `Two constraints of ${desc.name} would be called ${twin} in PostgreSQL: give a column another name, in its option column.`;
  findings.error("ENTITY_FIELD", desc, text);
}

function isTwin(one: Index, other: Index): boolean {
  return one.unique === other.unique && fields(one) === fields(other);
}

function fields({ columns }: Index): string {
  return columns.map(({ desc }) => desc.name).join(", ");
}
