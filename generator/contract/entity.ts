import { type DescField, type DescMessage, getOption, ScalarType } from "@bufbuild/protobuf";
import { FieldBehavior, field_behavior } from "@protoscaffold/runtime/options/google/api/field_behavior_pb.js";
import { entity as entityOption, field as fieldOption } from "@protoscaffold/runtime/options/scaffold/v1/options_pb.js";
import type { Column, ColumnType, Entity, Index } from "./contract.js";
import { entityExports } from "./exports.js";
import type { Findings } from "./findings.js";
import { camelCase, plural, snakeCase } from "./names.js";

const ENTITY = 270100;
const INDEX = 2;
const CACHE = 3;
const EXPLICIT = 1;

/** Reads an entity; undefined, with findings, if its rows could not be kept. */
export function buildEntity(message: DescMessage, findings: Findings): Entity | undefined {
  const options = getOption(message, entityOption);
  const columns = message.fields.flatMap((field) => buildColumn(field, findings) ?? []);
  checkColumnNames(columns, findings);
  const key = findKey(message, columns, findings);
  if (options.cache !== undefined && options.cache.ttlS === 0) {
    findings.error("ENTITY_CACHE", message, `The cache of ${message.name} keeps nothing: set ttl_s.`, [ENTITY, CACHE]);
  }
  const table = options.table === "" ? snakeCase(plural(message.name)) : options.table;
  if (!/^[a-z][a-z0-9_]{0,62}$/.test(table)) {
    findings.error(
      "ENTITY_TABLE_TAKEN",
      message,
      `"${table}" is no name for a table: use a-z, 0-9 and _, at most 63 of them.`,
      [ENTITY, 1],
    );
  }
  if (table.startsWith("scaffold_")) {
    findings.error(
      "ENTITY_TABLE_TAKEN",
      message,
      `Tables that begin with scaffold_ are the runtime's own: call ${table} something else.`,
      [ENTITY, 1],
    );
  }
  const indexes = options.index.flatMap((index, position) => {
    const covered = index.fields.map((name) => columns.find((column) => column.desc.name === name));
    const at = [ENTITY, INDEX, position];
    if (covered.length === 0)
      return findings.error("ENTITY_INDEX", message, "An index names at least one field.", at) ?? [];
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
    const json = covered.filter((column) => column?.type.sql === "jsonb");
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
    renamedFrom: options.renamedFrom || undefined,
    cache: options.cache?.ttlS ? { ttlS: options.cache.ttlS, staleIfErrorS: options.cache.staleIfErrorS } : undefined,
    createTime: timestampCalled("create_time", message),
    updateTime: timestampCalled("update_time", message),
    outputOnly: message.fields.filter((field) => behaves(field, FieldBehavior.OUTPUT_ONLY)),
    immutable: message.fields.filter(
      (field) => behaves(field, FieldBehavior.IDENTIFIER) || behaves(field, FieldBehavior.IMMUTABLE),
    ),
  };
}

function behaves(field: DescField, behavior: FieldBehavior): boolean {
  return getOption(field, field_behavior).includes(behavior);
}

/** AIP-148: the service sets these two itself, if the contract marks them OUTPUT_ONLY. */
function timestampCalled(name: string, message: DescMessage): DescField | undefined {
  const field = message.fields.find((candidate) => candidate.name === name);
  const isTimestamp = field?.fieldKind === "message" && field.message.typeName === "google.protobuf.Timestamp";
  return field !== undefined && isTimestamp && behaves(field, FieldBehavior.OUTPUT_ONLY) ? field : undefined;
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
  if (key.desc.proto.proto3Optional) {
    return findings.error(
      "ENTITY_KEY",
      key.desc,
      `A row is nothing without its key: remove optional from ${key.name}.`,
    );
  }
  if (key.type.sql !== "text") {
    return findings.error(
      "ENTITY_KEY",
      key.desc,
      `A key is a plain string, so that it can be given by the service and read in a URL: make ${key.name} a string.`,
    );
  }
  return key;
}

function buildColumn(field: DescField, findings: Findings): Column | undefined {
  if (field.oneof !== undefined) {
    return findings.error(
      "ENTITY_FIELD",
      field,
      `${field.name} is part of oneof ${field.oneof.name}, which has no column yet: put the oneof into a message of its own, and hold that message here.`,
    );
  }
  const type = columnType(field);
  if (type === undefined) {
    return findings.error("ENTITY_FIELD", field, `${field.name} is a group, which no column holds: use a message.`);
  }
  if (field.fieldKind === "scalar" && field.longAsString) {
    return findings.error(
      "ENTITY_FIELD",
      field,
      `${field.name} is a string in TypeScript and a number in the database: remove jstype.`,
    );
  }
  // Lists and maps are never absent, only empty; a message is absent until it is set, also a required one.
  // With proto2 and editions a key has presence unless it says otherwise; it is set before its row is kept.
  const nullable =
    field.fieldKind === "message" ||
    ((field.fieldKind === "scalar" || field.fieldKind === "enum") &&
      field.presence === EXPLICIT &&
      (field.proto.proto3Optional || !behaves(field, FieldBehavior.IDENTIFIER)));
  return { desc: field, name: getOption(field, fieldOption).column || field.name, type, nullable };
}

/** Fields have names of their own; those that the contract gives to columns need not. */
function checkColumnNames(columns: readonly Column[], findings: Findings): void {
  for (const { name, desc } of columns) {
    if (name === desc.name) continue;
    const owner = columns.find((column) => column.name === name && column.desc !== desc);
    if (owner !== undefined) {
      findings.error(
        "ENTITY_FIELD",
        desc,
        `The column ${name} is ${owner.desc.name}'s already: give this one another.`,
      );
    } else if (!/^[a-z][a-z0-9_]{0,62}$/.test(name)) {
      findings.error(
        "ENTITY_FIELD",
        desc,
        `"${name}" is no name for a column: use a-z, 0-9 and _, at most 63 of them.`,
      );
    }
  }
}

function columnType(field: DescField): ColumnType | undefined {
  switch (field.fieldKind) {
    case "scalar":
      return { sql: scalarTypes[field.scalar] };
    case "enum":
      return { sql: "integer", enum: field.enum };
    case "message":
      if (field.delimitedEncoding) return undefined;
      if (field.message.typeName === "google.protobuf.Timestamp") return { sql: "timestamptz" };
      return { sql: "jsonb", message: field.message };
    case "list":
      return { sql: "jsonb", message: field.listKind === "message" ? field.message : undefined };
    case "map":
      return { sql: "jsonb", message: undefined };
  }
}

const scalarTypes = {
  [ScalarType.STRING]: "text",
  [ScalarType.BOOL]: "boolean",
  [ScalarType.BYTES]: "bytea",
  [ScalarType.FLOAT]: "real",
  [ScalarType.DOUBLE]: "double precision",
  [ScalarType.INT32]: "integer",
  [ScalarType.SINT32]: "integer",
  [ScalarType.SFIXED32]: "integer",
  [ScalarType.UINT32]: "bigint",
  [ScalarType.FIXED32]: "bigint",
  [ScalarType.INT64]: "bigint",
  [ScalarType.SINT64]: "bigint",
  [ScalarType.SFIXED64]: "bigint",
  [ScalarType.UINT64]: "numeric",
  [ScalarType.FIXED64]: "numeric",
} as const;

/** `orders_customer_id_idx`, cut to the 63 bytes that PostgreSQL keeps of a name. */
function indexName(table: string, columns: readonly Column[], unique: boolean): string {
  const suffix = unique ? "_key" : "_idx";
  return `${[table, ...columns.map(({ name }) => name)].join("_").slice(0, 63 - suffix.length)}${suffix}`;
}
