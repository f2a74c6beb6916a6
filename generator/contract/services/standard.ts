import { type DescField, type DescMessage, type DescMethod, ScalarType } from "@bufbuild/protobuf";
import type { Entity, Standard } from "../contract.js";
import type { Findings } from "../findings/findings.js";
import { plural } from "../names/names.js";

/**
 * Returns the standard method (AIP-131 to 135, 164, 231) that a method is, by its name, its shape and an entity of its service. A
 * method that almost matches is handwritten, and a note says what differs.
 */
export function findStandard(
  method: DescMethod,
  entities: readonly Entity[],
  key: DescField | undefined,
  findings: Findings,
): Standard | undefined {
  for (const entity of entities) {
    const name = entity.desc.name;
    const shape = shapes[method.name.replace(plural(name), "Entities").replace(name, "Entity")];
    if (shape === undefined) continue;
    const found = method.methodKind === "unary" ? shape(method, entity) : "it streams";
    if (typeof found !== "string") {
      const unread = method.input.fields.filter((field) => !found.reads.includes(field) && field !== key);
      if (unread.length === 0) return found.standard;
      return miss(method, `nothing would read ${unread.map((field) => field.name).join(", ")}`, findings);
    }
    return miss(method, found, findings);
  }
  return undefined;
}

function miss(method: DescMethod, why: string, findings: Findings): undefined {
  findings.note(
    "METHOD_NEAR_STANDARD",
    method,
    `${method.name} is named like a standard method, but ${why}; so it is written by hand.`,
  );
}

type Shape = (method: DescMethod, entity: Entity) => { standard: Standard; reads: DescField[] } | string;

/** The shape of each standard method. A string says what differs. */
const shapes: Record<string, Shape> = {
  GetEntity({ input, output }, entity) {
    if (output !== entity.desc) return `it returns ${output.name} instead of ${entity.desc.name}`;
    const key = stringField(input, entity.key.name);
    if (key === undefined) return `${input.name} has no string ${entity.key.name}`;
    return { standard: { kind: "get", entity, key }, reads: [key] };
  },
  ListEntities({ input, output }, entity) {
    const size = scalarField(input, "page_size", ScalarType.INT32);
    const token = stringField(input, "page_token");
    if (size === undefined || token === undefined) return `${input.name} lacks int32 page_size or string page_token`;
    const items = listOf(output, entity);
    if (items === undefined) return `${output.name} has no repeated ${entity.desc.name}`;
    if (stringField(output, "next_page_token") === undefined) return `${output.name} lacks string next_page_token`;
    const deleted = entity.deleteTime && scalarField(input, "show_deleted", ScalarType.BOOL);
    const optional = [stringField(input, "filter"), stringField(input, "order_by"), deleted];
    return { standard: { kind: "list", entity, items }, reads: [size, token, ...optional.filter(isThere)] };
  },
  BatchGetEntities({ input, output }, entity) {
    const keys = input.fields.find(
      (field) =>
        field.name === plural(entity.key.name) && field.fieldKind === "list" && field.scalar === ScalarType.STRING,
    );
    if (keys === undefined) return `${input.name} has no repeated string ${plural(entity.key.name)}`;
    const items = listOf(output, entity);
    if (items === undefined) return `${output.name} has no repeated ${entity.desc.name}`;
    return { standard: { kind: "batchGet", entity, keys, items }, reads: [keys] };
  },
  CreateEntity({ input, output }, entity) {
    if (output !== entity.desc) return `it returns ${output.name} instead of ${entity.desc.name}`;
    const resource = messageField(input, entity.desc);
    if (resource === undefined) return `${input.name} holds no ${entity.desc.name}`;
    return { standard: { kind: "create", entity, resource }, reads: [resource] };
  },
  UpdateEntity({ input, output }, entity) {
    if (output !== entity.desc) return `it returns ${output.name} instead of ${entity.desc.name}`;
    const resource = messageField(input, entity.desc);
    if (resource === undefined) return `${input.name} holds no ${entity.desc.name}`;
    const mask = input.fields.find(
      (field) =>
        field.name === "update_mask" &&
        field.fieldKind === "message" &&
        field.message.typeName === "google.protobuf.FieldMask",
    );
    if (mask === undefined) return `${input.name} has no google.protobuf.FieldMask update_mask`;
    return { standard: { kind: "update", entity, resource, mask }, reads: [resource, mask] };
  },
  DeleteEntity({ input, output }, entity) {
    // In AIP-164 a soft delete returns the resource. Empty is accepted, too: changing it would break callers.
    const answers = entity.deleteTime !== undefined && output === entity.desc;
    if (output.typeName !== "google.protobuf.Empty" && !answers)
      return `it returns ${output.name} instead of google.protobuf.Empty`;
    const key = stringField(input, entity.key.name);
    if (key === undefined) return `${input.name} has no string ${entity.key.name}`;
    const etag = entity.etag && stringField(input, "etag");
    return { standard: { kind: "delete", entity, key, answers }, reads: [key, etag].filter(isThere) };
  },
  UndeleteEntity({ input, output }, entity) {
    if (entity.deleteTime === undefined)
      return `${entity.desc.name} has no google.protobuf.Timestamp delete_time marked OUTPUT_ONLY`;
    if (output !== entity.desc) return `it returns ${output.name} instead of ${entity.desc.name}`;
    const key = stringField(input, entity.key.name);
    if (key === undefined) return `${input.name} has no string ${entity.key.name}`;
    const etag = entity.etag && stringField(input, "etag");
    return { standard: { kind: "undelete", entity, key }, reads: [key, etag].filter(isThere) };
  },
};

function isThere(field: DescField | undefined): field is DescField {
  return field !== undefined;
}

function scalarField(message: DescMessage, name: string, scalar: ScalarType): DescField | undefined {
  return message.fields.find((field) => field.name === name && field.fieldKind === "scalar" && field.scalar === scalar);
}

function stringField(message: DescMessage, name: string): DescField | undefined {
  return scalarField(message, name, ScalarType.STRING);
}

function messageField(message: DescMessage, type: DescMessage): DescField | undefined {
  return message.fields.find(
    (field) => field.fieldKind === "message" && field.message === type && field.oneof === undefined,
  );
}

function listOf(message: DescMessage, { desc }: Entity): DescField | undefined {
  return message.fields.find(
    (field) => field.fieldKind === "list" && field.listKind === "message" && field.message === desc,
  );
}
