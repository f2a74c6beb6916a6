import { type DescField, type DescMessage, getOption, hasOption, type ScalarType } from "@bufbuild/protobuf";
import { isWrapperDesc } from "@bufbuild/protobuf/wkt";
import { FieldBehavior } from "@protoscaffold/runtime/codegen/options/google/api/field_behavior_pb.js";
import { field as fieldOption } from "@protoscaffold/runtime/codegen/options/scaffold/v1/options_pb.js";
import { behaves } from "../behavior.js";
import type { Column } from "../contract.js";
import type { Findings } from "../findings/findings.js";
import { type ColumnTypeName, scalarTypes } from "./column-types.js";
import { isSqlName, longestName, systemColumns } from "./sql-name.js";

const EXPLICIT = 1;

/** Returns the column of a field, or undefined and a finding if the field cannot be stored. */
export function buildColumn(field: DescField, findings: Findings): Column | undefined {
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
  if (field.message !== undefined && holdsAny(field.message, new Set())) {
    return findings.error(
      "ENTITY_FIELD",
      field,
      `${field.name} holds google.protobuf.Any, which can be kept only by who knows every message: hold the messages that are meant, in a oneof.`,
    );
  }
  // Lists and maps are never absent, only empty. A message is absent until it is set, even if it is required. At most one member
  // of a oneof is set. With proto2 and editions a key has presence by default, but is always set before its row is stored.
  const nullable =
    field.fieldKind === "message" ||
    field.oneof !== undefined ||
    ((field.fieldKind === "scalar" || field.fieldKind === "enum") &&
      field.presence === EXPLICIT &&
      (field.proto.proto3Optional || !behaves(field, FieldBehavior.IDENTIFIER)));
  const name =
    (hasOption(field, fieldOption) && getOption(field, fieldOption).column) || field.name.slice(0, longestName);
  return { desc: field, name, type, scalar: scalarOf(field), nullable, emptyIsNull: false };
}

/** Checks that the names of a table's columns are unique in the 63 bytes that PostgreSQL keeps of each. */
export function checkColumnNames(columns: readonly Column[], findings: Findings): void {
  const owners = new Map<string, DescField>();
  const taken = new Set([...systemColumns, ...columns.map(({ name }) => name)]);
  const ordered = columns.toSorted((a, b) => Number(isGiven(a)) - Number(isGiven(b)));
  for (const { name, desc } of ordered) {
    const owner = owners.get(name);
    owners.set(name, owner ?? desc);
    const given = isGiven({ name, desc });
    const fault =
      owner !== undefined && owner.name.length > longestName && !given
        ? `${owner.name} and ${desc.name} are one column in PostgreSQL, which keeps ${longestName} bytes of a name`
        : owner !== undefined
          ? `The column ${name} is ${owner.name}'s already`
          : systemColumns.has(name)
            ? `Every table of PostgreSQL has a column ${name} of its own`
            : given && !isSqlName(name)
              ? `"${name}" is not a valid name for a column, which has a-z, 0-9 and _, at most ${longestName} of them`
              : undefined;
    if (fault === undefined) continue;
    const free = freeName(desc, taken);
    taken.add(free);
    const wayOut = `[(scaffold.v1.field).column = "${free}"]`;
    findings.error("ENTITY_FIELD", desc, `${fault}: give this one another name, ${wayOut}.`);
  }
}

/** Returns a free column name for a field: the field's own, if the column has another one now, or else a new one. */
function freeName({ name, number }: DescField, taken: ReadonlySet<string>): string {
  if (isSqlName(name) && !taken.has(name)) return name;
  const letters = name
    .toLowerCase()
    .replace(/^[^a-z]+/, "")
    .slice(0, 40);
  const numbered = `${letters || "field"}_${number}`;
  for (let more = 1; ; more++) {
    const free = more === 1 ? numbered : `${numbered}_${more}`;
    if (!taken.has(free)) return free;
  }
}

/** Returns whether the contract names the column. Otherwise it has the field's name. */
function isGiven({ name, desc }: Pick<Column, "name" | "desc">): boolean {
  return name !== desc.name.slice(0, longestName);
}

function columnType(field: DescField): ColumnTypeName | undefined {
  switch (field.fieldKind) {
    case "scalar":
      return scalarTypes[field.scalar];
    case "enum":
      return "enum";
    case "message":
      if (field.delimitedEncoding) return undefined;
      if (isWrapperDesc(field.message)) return scalarTypes[field.message.fields[0].scalar];
      if (field.message.typeName === "google.protobuf.Timestamp") return "timestamp";
      return field.message.typeName === "google.protobuf.Duration" ? "duration" : "json";
    default:
      return "json";
  }
}

/** Returns whether a message contains an Any, directly or not: JSON of an Any needs a registry of all types. */
function holdsAny(message: DescMessage, seen: Set<DescMessage>): boolean {
  if (message.typeName === "google.protobuf.Any") return true;
  if (seen.has(message)) return false;
  seen.add(message);
  return message.fields.some((field) => field.message !== undefined && holdsAny(field.message, seen));
}

function scalarOf(field: DescField): ScalarType | undefined {
  if (field.fieldKind === "scalar") return field.scalar;
  if (field.fieldKind === "message" && isWrapperDesc(field.message)) return field.message.fields[0].scalar;
  return undefined;
}
