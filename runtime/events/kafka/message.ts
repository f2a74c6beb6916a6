import type { KafkaRecord, MessageToProduce } from "@platformatic/kafka";
import type { EventRecord, ReceivedRecord } from "../record.js";

/*
 * CloudEvents' Kafka protocol binding 1.0.2, binary mode: the event's data are the value, `datacontenttype` is the header
 * `content-type`, and every other attribute is a header of its name behind `ce_`, in UTF-8.
 */

const PREFIX = "ce_";
const CONTENT_TYPE = "content-type";

export function toMessage({ topic, key, attributes, payload }: EventRecord, partition: number): MessageToProduce {
  const headers = new Map<Buffer, Buffer>();
  for (const [name, value] of Object.entries({ specversion: "1.0", ...attributes })) {
    headers.set(Buffer.from(name === "datacontenttype" ? CONTENT_TYPE : PREFIX + name), Buffer.from(value));
  }
  const value = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
  return { topic, partition, key: key === "" ? undefined : Buffer.from(key), headers, value };
}

/** Reads what anybody wrote there: a record that is no CloudEvent has no attributes, and one without a value no bytes. */
export function fromKafka(
  topic: string,
  partition: number,
  offset: bigint,
  { key, headers, value }: KafkaRecord,
): ReceivedRecord {
  const attributes: Record<string, string> = {};
  for (const [header, text] of headers) {
    const name = header?.toString() ?? "";
    if (name === CONTENT_TYPE) attributes.datacontenttype = text?.toString() ?? "";
    else if (name.startsWith(PREFIX)) attributes[name.slice(PREFIX.length)] = text?.toString() ?? "";
  }
  return {
    topic,
    key: key?.toString() ?? "",
    attributes,
    payload: value ?? Buffer.alloc(0),
    partition,
    position: `${partition}/${offset}`,
    redelivered: false,
  };
}

/** About how many bytes a record takes on the way, before compression. */
export function sizeOf({ key, attributes, payload }: EventRecord): number {
  let bytes = 64 + key.length + payload.length;
  for (const [name, value] of Object.entries(attributes)) bytes += 8 + name.length + value.length;
  return bytes;
}
