import { create, type DescMessage, type JsonValue, type Message } from "@bufbuild/protobuf";
import { type Any, AnySchema } from "@bufbuild/protobuf/wkt";
import type { ConnectError } from "@connectrpc/connect";
import { createMessage } from "../codec/create.js";
import { codecOf } from "../codec/known.js";
import { jsonOf } from "../codec/protojson/write.js";

type Detail = ConnectError["details"][number];

/** An error's detail, which is a message that somebody here made, or what another process sent. */
export function anyOf(detail: Detail): Any {
  if (!("desc" in detail)) return create(AnySchema, { typeUrl: urlOf(detail.type), value: detail.value });
  const { desc, value } = detail;
  const bytes = codecOf(desc).toBytes(createMessage(desc, value));
  return create(AnySchema, { typeUrl: urlOf(desc.typeName), value: new Uint8Array(bytes) });
}

/** The same detail as a caller of Connect's protocol sees it: in bytes, and in JSON for the eyes of a person. */
export function encodedDetail(detail: Detail): Detail {
  if (!("desc" in detail)) return detail;
  const { desc, value } = detail;
  const message = createMessage(desc, value);
  const { value: bytes } = anyOf(detail);
  return { type: desc.typeName, value: bytes, debug: debugOf(desc, message) };
}

/** Undefined where there is no JSON: it is a help, and no more. */
function debugOf(desc: DescMessage, message: Message): JsonValue | undefined {
  try {
    return JSON.parse(jsonOf(desc, message)) as JsonValue;
  } catch {
    return undefined;
  }
}

function urlOf(typeName: string): string {
  return `type.googleapis.com/${typeName}`;
}
