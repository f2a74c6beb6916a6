import { clearField, type DescMessage, equals, isFieldSet, type Message } from "@bufbuild/protobuf";
import { keepOutputOnly } from "../../call/output-only.js";
import { validateMessage } from "../../call/validate.js";
import { violated } from "../../call/violations.js";
import { copy, copyMessage } from "../../codec/copy.js";
import { setField, valueOfField } from "../../codec/field.js";
import type { Entity } from "../../spec/entity.js";
import { checkEtag, type Rows } from "./rows.js";

/**
 * The standard update (AIP-134): changes the fields of a row that a mask names. The row is locked meanwhile, and the updated row is
 * validated.
 *
 * @param resource has the row's key and the new values
 * @param paths top-level fields in proto spelling. Empty: every field that is set in `resource`; `*`: every mutable field. Fields that
 *   only the service sets are ignored (AIP-203).
 * @throws ConnectError ABORTED if `resource` has another etag than the row; INVALID_ARGUMENT for an unknown path, for an immutable field,
 *   and for violated rules
 */
export async function updateRow(
  entity: Entity,
  rows: Rows<DescMessage>,
  resource: Message,
  paths: readonly string[],
): Promise<Message> {
  const { schema } = entity;
  const key = (resource as unknown as Record<string, string>)[entity.key]!;
  if (key === "") {
    const field = schema.field[entity.key]!.name;
    throw violated([{ field, description: "is missing", reason: "REQUIRED" }]);
  }
  const masked = maskedFields(entity, resource, paths);
  const before = await rows.lock(key);
  const etag = entity.etag === undefined ? "" : (resource as unknown as Record<string, string>)[entity.etag];
  checkEtag(entity, key, before, etag);
  const frozen = masked.filter((name) => entity.immutable.includes(name));
  const refused = frozen.filter((name) => !equals(schema, before, merge(schema, before, resource, [name])));
  if (refused.length > 0) {
    const description = "is immutable: leave it out of update_mask";
    throw violated(
      refused.map((name) => ({ field: schema.field[name]!.name, description, reason: "FIELD_IMMUTABLE" })),
    );
  }
  const after = merge(schema, before, resource, masked);
  validateMessage(schema, after);
  return rows.write(key, after, masked);
}

/** Returns `before` with these fields from `change`, except output-only fields inside their messages. */
function merge(schema: DescMessage, before: Message, change: Message, fields: readonly string[]): Message {
  const after = copyMessage(before);
  for (const name of fields) {
    const field = schema.field[name]!;
    if (isFieldSet(change, field)) setField(after, field, copy(valueOfField(change, field)));
    else clearField(after, field);
  }
  keepOutputOnly(schema, before, after);
  return after;
}

/** Returns the fields to change, by their names in TypeScript. */
function maskedFields(
  { schema, outputOnly, immutable }: Entity,
  resource: Message,
  paths: readonly string[],
): string[] {
  const isSet = (name: string) => isFieldSet(resource, schema.field[name] as never);
  const named = paths.filter((path) => path !== "*").map((path) => [path, fieldAt(schema, path)] as const);
  const unknown = named.filter(([, field]) => field === undefined).map(([path]) => JSON.stringify(path));
  if (unknown.length > 0) {
    const known = schema.fields.map((field) => field.name).join(", ");
    const description = `names ${unknown.join(", ")}; it may name whole fields of ${schema.name}: ${known}`;
    throw violated([{ field: "update_mask", description, reason: "FIELD_MASK_INVALID" }]);
  }
  const all = schema.fields.map((field) => field.localName);
  const wanted = paths.includes("*")
    ? all.filter((name) => isSet(name) || !immutable.includes(name))
    : paths.length === 0
      ? all.filter(isSet)
      : named.map(([, field]) => field!.localName);
  return [...new Set(wanted)].filter((name) => !outputOnly.includes(name));
}

function fieldAt(schema: DescMessage, path: string) {
  return schema.fields.find((field) => field.name === path);
}
