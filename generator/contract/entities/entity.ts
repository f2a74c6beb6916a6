import { type DescField, type DescMessage, getOption, ScalarType } from "@bufbuild/protobuf";
import { FieldBehavior } from "@protoscaffold/runtime/codegen/options/google/api/field_behavior_pb.js";
import { entity as entityOption } from "@protoscaffold/runtime/codegen/options/scaffold/v1/options_pb.js";
import { behaves } from "../behavior.js";
import type { Check, Column, Entity, Index, Reference } from "../contract.js";
import type { Findings } from "../findings/findings.js";
import { entityExports } from "../names/exports.js";
import { camelCase, plural, snakeCase } from "../names/names.js";
import { optionPath } from "../option-path.js";
import { buildColumn, checkColumnNames } from "./column.js";
import { isSqlName, longestName } from "./sql-name.js";

/** PostgreSQL's limits for tables and indexes. */
const mostColumns = 1600;
const mostOfIndex = 32;

/** An entity without its references and checks, which need all entities. */
export type EntityDraft = Entity & { indexes: Index[]; checks: Check[]; references: Reference[] };

/** Returns the entity of a message, or undefined and findings if its rows cannot be stored. */
export function buildEntity(message: DescMessage, findings: Findings): EntityDraft | undefined {
  const options = getOption(message, entityOption);
  const columns = message.fields.flatMap((field) => buildColumn(field, findings) ?? []);
  checkColumnNames(columns, findings);
  if (columns.length > mostColumns) {
    const text = `${message.name} has ${columns.length} fields, and a table of PostgreSQL ${mostColumns} columns at most: put some into a message of their own.`;
    findings.error("ENTITY_FIELD", message, text);
  }
  const key = findKey(message, columns, findings);
  if (options.cache !== undefined && options.cache.ttlS === 0) {
    findings.error(
      "ENTITY_CACHE",
      message,
      `The cache of ${message.name} keeps nothing: set ttl_s.`,
      optionPath(entityOption, "cache"),
    );
  }
  const table = options.table === "" ? snakeCase(plural(message.name)) : options.table;
  if (!isSqlName(table)) {
    findings.error(
      "ENTITY_TABLE_TAKEN",
      message,
      `"${table}" is not a valid name for a table: use a-z, 0-9 and _, at most 63 of them.`,
      optionPath(entityOption, "table"),
    );
  }
  const owner = /^scaffold(_|$)/.test(table) ? "the runtime's" : table.startsWith("pg_") ? "PostgreSQL's" : undefined;
  if (owner !== undefined) {
    findings.error(
      "ENTITY_TABLE_TAKEN",
      message,
      `Tables that begin with ${/^[a-z]*_?/.exec(table)} are ${owner} own: call ${table} something else.`,
      optionPath(entityOption, "table"),
    );
  }
  const indexes = options.index.flatMap((index, position) => {
    const covered = index.fields.map((name) => columns.find((column) => column.desc.name === name));
    const at = optionPath(entityOption, "index", position);
    if (covered.length === 0)
      return findings.error("ENTITY_INDEX", message, "An index names at least one field.", at) ?? [];
    if (covered.length > mostOfIndex) {
      const text = `An index of PostgreSQL covers ${mostOfIndex} columns at most, and this one ${covered.length}: remove some.`;
      return findings.error("ENTITY_INDEX", message, text, at) ?? [];
    }
    const unknown = index.fields.filter((_, i) => covered[i] === undefined);
    if (unknown.length > 0) {
      const known = columns.map((column) => column.desc.name).join(", ");
      return (
        findings.error(
          "ENTITY_INDEX",
          message,
          `${message.name} has no field ${unknown.join(", ")}; it has ${known}.`,
          at,
        ) ?? []
      );
    }
    const json = covered.filter((column) => column?.type === "json");
    if (json.length > 0) {
      const names = json.map((column) => column?.name).join(", ");
      return (
        findings.error(
          "ENTITY_INDEX",
          message,
          `${names} holds a list or a message, which an index cannot order: index a scalar field.`,
          at,
        ) ?? []
      );
    }
    return [
      { name: indexName(table, covered as Column[], index.unique), columns: covered as Column[], unique: index.unique },
    ] satisfies Index[];
  });
  if (key === undefined) return undefined;
  return {
    desc: message,
    file: message.file.name,
    exports: entityExports(message),
    table,
    plural: camelCase(plural(message.name)),
    columns,
    key,
    indexes,
    checks: [],
    references: [],
    renamedFrom: options.renamedFrom || undefined,
    cache: options.cache?.ttlS ? options.cache : undefined,
    createTime: timestampCalled("create_time", message),
    updateTime: timestampCalled("update_time", message),
    deleteTime: timestampCalled("delete_time", message),
    etag: message.fields.find(isEtag),
    outputOnly: message.fields.filter((field) => behaves(field, FieldBehavior.OUTPUT_ONLY) || isEtag(field)),
    immutable: message.fields.filter(
      (field) => behaves(field, FieldBehavior.IDENTIFIER) || behaves(field, FieldBehavior.IMMUTABLE),
    ),
  };
}

/** Returns the timestamp field of this name if the contract marks it OUTPUT_ONLY: the service sets it (AIP-148). */
function timestampCalled(name: string, message: DescMessage): DescField | undefined {
  const field = message.fields.find((candidate) => candidate.name === name);
  const isTimestamp = field?.fieldKind === "message" && field.message.typeName === "google.protobuf.Timestamp";
  return field !== undefined && isTimestamp && behaves(field, FieldBehavior.OUTPUT_ONLY) ? field : undefined;
}

/** Returns whether a field is an etag (AIP-154). */
function isEtag(field: DescField): boolean {
  return (
    field.name === "etag" &&
    field.fieldKind === "scalar" &&
    field.scalar === ScalarType.STRING &&
    field.oneof === undefined &&
    !behaves(field, FieldBehavior.IDENTIFIER)
  );
}

function findKey(message: DescMessage, columns: readonly Column[], findings: Findings): Column | undefined {
  const [key, ...more] = columns.filter((column) => behaves(column.desc, FieldBehavior.IDENTIFIER));
  if (key === undefined) {
    return findings.error(
      "ENTITY_KEY",
      message,
      `${message.name} has no key: mark one string field with [(google.api.field_behavior) = IDENTIFIER].`,
    );
  }
  if (more.length > 0) {
    return findings.error(
      "ENTITY_KEY",
      message,
      `${message.name} has ${more.length + 1} fields marked IDENTIFIER: keep one, and make the others a unique index.`,
    );
  }
  if (key.desc.proto.proto3Optional || key.desc.oneof !== undefined) {
    const way = key.desc.oneof === undefined ? "remove optional from" : `take it out of ${key.desc.oneof.name}:`;
    return findings.error("ENTITY_KEY", key.desc, `A row is nothing without its key: ${way} ${key.name}.`);
  }
  if (key.type !== "text" || key.desc.fieldKind !== "scalar") {
    return findings.error(
      "ENTITY_KEY",
      key.desc,
      `A key is a plain string, so that it can be given by the service and read in a URL: make ${key.name} a string.`,
    );
  }
  return key;
}

/** Returns an index's name, such as `orders_customer_id_idx`, cut to the 63 bytes that PostgreSQL keeps of a name. */
export function indexName(table: string, columns: readonly Column[], unique: boolean): string {
  const suffix = unique ? "_key" : "_idx";
  return `${[table, ...columns.map(({ name }) => name)].join("_").slice(0, longestName - suffix.length)}${suffix}`;
}
