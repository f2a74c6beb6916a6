import { type DescMessage, getOption, hasOption, ScalarType } from "@bufbuild/protobuf";
import { resource, resource_reference } from "@protoscaffold/runtime/codegen/options/google/api/resource_pb.js";
import type { Column, Entity } from "../contract.js";
import { constraintName } from "./constraint-name.js";
import { type EntityDraft, indexName } from "./entity.js";

const IMPLICIT = 2;

/**
 * Returns the foreign keys of an entity: fields whose `google.api.resource_reference` names another entity of the same
 * service. Entities of other services are in other databases.
 *
 * Each foreign key has an index, so that the deletion of a referenced row need not scan the whole table. */
export function linkReferences(entity: EntityDraft, owned: readonly Entity[]): void {
  for (const column of entity.columns) {
    const target = targetOf(column, owned);
    if (target === undefined) continue;
    // No row has the empty key, so an empty text refers to nothing.
    const isKey = column === entity.key;
    if (column.desc.presence === IMPLICIT && !isKey) Object.assign(column, { nullable: true, emptyIsNull: true });
    entity.references.push({ name: constraintName(entity, column.name, column.desc, "_fkey"), column, target });
    if (!isKey && !entity.indexes.some((index) => index.columns[0] === column)) {
      const name = indexName(entity.table, [column], false);
      entity.indexes.push({ name, columns: [column], unique: false });
    }
  }
}

function targetOf(column: Column, owned: readonly Entity[]): Entity | undefined {
  const { desc, scalar } = column;
  if (scalar !== ScalarType.STRING || desc.fieldKind === "list" || !hasOption(desc, resource_reference))
    return undefined;
  const { type, childType } = getOption(desc, resource_reference);
  if (type !== "") return owned.find((entity) => resourceOf(entity.desc).type === type);
  return childType === "" ? undefined : parentOf(childType, owned);
}

/** Resolves `child_type` to the type of its parent: `publishers/{publisher}` of `publishers/{publisher}/books/{book}`. */
function parentOf(childType: string, owned: readonly Entity[]): Entity | undefined {
  const child = owned.find((entity) => resourceOf(entity.desc).type === childType);
  if (child === undefined) return undefined;
  const patterns = resourceOf(child.desc).pattern.map((pattern) => pattern.split("/").slice(0, -2).join("/"));
  const parents = owned.filter((entity) => resourceOf(entity.desc).pattern.some((one) => patterns.includes(one)));
  // A child with several kinds of parents has no single table for a foreign key.
  return patterns.length === 1 && parents.length === 1 ? parents[0] : undefined;
}

function resourceOf(message: DescMessage) {
  return getOption(message, resource);
}
