import { type DescMessage, getOption, hasOption, ScalarType } from "@bufbuild/protobuf";
import { resource, resource_reference } from "@protoscaffold/runtime/codegen/options/google/api/resource_pb.js";
import type { Column, Entity } from "../contract.js";
import { constraintName } from "./constraint-name.js";
import { type EntityDraft, indexName } from "./entity.js";

const IMPLICIT = 2;

/**
 * Finds the foreign keys of an entity: fields that `google.api.resource_reference` says to hold the key of another
 * entity of the same service. What another service owns is in another database, which no foreign key reaches.
 *
 * Each has an index, so that the database need not read the whole table when a row that it may refer to is deleted.
 */
export function linkReferences(entity: EntityDraft, owned: readonly Entity[]): void {
  for (const column of entity.columns) {
    const target = targetOf(column, owned);
    if (target === undefined) continue;
    // No row has the empty key, so a text that is empty refers to nothing.
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

/** `child_type` says whose parent is meant: `publishers/{publisher}` of `publishers/{publisher}/books/{book}`. */
function parentOf(childType: string, owned: readonly Entity[]): Entity | undefined {
  const child = owned.find((entity) => resourceOf(entity.desc).type === childType);
  if (child === undefined) return undefined;
  const patterns = resourceOf(child.desc).pattern.map((pattern) => pattern.split("/").slice(0, -2).join("/"));
  const parents = owned.filter((entity) => resourceOf(entity.desc).pattern.some((one) => patterns.includes(one)));
  // One of several has no one table to be looked up in.
  return patterns.length === 1 && parents.length === 1 ? parents[0] : undefined;
}

function resourceOf(message: DescMessage) {
  return getOption(message, resource);
}
