import { createHash } from "node:crypto";
import type { DescField, DescMessage } from "@bufbuild/protobuf";

/**
 * Returns a fingerprint of a message's schema: the numbers and types of its fields, and of the messages in it. Bytes of another schema
 * may lack fields; names do not matter, because the wire format does not have them.
 */
export function shapeOf(message: DescMessage): string {
  const seen = new Set<DescMessage>();
  const lines: string[] = [];
  const visit = (desc: DescMessage) => {
    if (seen.has(desc)) return;
    seen.add(desc);
    const fields = [...desc.fields].sort((one, other) => one.number - other.number);
    lines.push(`${desc.typeName} ${fields.map(fieldShape).join(" ")}`);
    for (const field of fields) if (field.message !== undefined) visit(field.message);
  };
  visit(message);
  return createHash("sha256").update(lines.join("\n")).digest("base64url").slice(0, 16);
}

function fieldShape(field: DescField): string {
  const kind = field.fieldKind === "list" ? `list ${field.listKind}` : field.fieldKind;
  const key = field.fieldKind === "map" ? `${field.mapKey} ${field.mapKind}` : "";
  return `${field.number}:${kind}:${key}:${field.scalar ?? field.message?.typeName ?? "enum"}:${field.presence}`;
}
