import type { AsyncMessage, Envelope, MessageBody } from "rabbitmq-client";
import type { EventRecord, ReceivedRecord } from "../record.js";

/** CloudEvents' prefixes of attributes; the first is preferred, the second understood (AMQP protocol binding 1.0.2, 3.1.3.1). */
const PREFIXES = ["cloudEvents_", "cloudEvents:"] as const;
/** The attribute that orders events (CloudEvents' partitioning extension). */
const KEY = "partitionkey";
/** AMQP's short strings end here, in bytes. */
const SHORT = 255;

/** An event's properties and headers as CloudEvents' AMQP binding has them in binary mode, persistent. */
export function propertiesOf(record: EventRecord): Envelope {
  const { datacontenttype, ...attributes } = record.attributes;
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(attributes)) headers[`${PREFIXES[0]}${name}`] = value;
  if (record.key !== "") headers[`${PREFIXES[0]}${KEY}`] = record.key;
  return {
    durable: true,
    contentType: datacontenttype,
    // For people who look at queues; events are told apart by their source and id.
    messageId: short(attributes.id),
    type: short(attributes.type),
    headers,
  };
}

/** An event out of a message, also of one that others published. */
export function recordOf(
  message: AsyncMessage,
  topic: string,
  partition: number,
  redelivered: boolean,
): ReceivedRecord {
  const attributes: Record<string, string> = {};
  let key = "";
  for (const [header, value] of Object.entries((message.headers ?? {}) as Record<string, unknown>)) {
    const prefix = PREFIXES.find((prefix) => header.startsWith(prefix));
    if (prefix === undefined || value === null || value === undefined) continue;
    const name = header.slice(prefix.length);
    if (name === KEY) key = String(value);
    else attributes[name] = String(value);
  }
  if (message.contentType !== undefined) attributes.datacontenttype = message.contentType;
  return {
    topic,
    key,
    attributes,
    payload: bytesOf(message.body),
    partition,
    position: `${partition}/${message.deliveryTag}`,
    redelivered: redelivered || message.redelivered,
  };
}

/** The library has read text and JSON by then. */
function bytesOf(body: MessageBody): Uint8Array {
  if (Buffer.isBuffer(body)) return body;
  return Buffer.from(typeof body === "string" ? body : JSON.stringify(body));
}

function short(text: string | undefined): string | undefined {
  return text === undefined || Buffer.byteLength(text) > SHORT ? undefined : text;
}
