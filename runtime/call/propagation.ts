import type { EnvironmentReader } from "../config/environment.js";
import { isMetadataValue } from "./metadata-value.js";

/** What always goes on from hop to hop: the trace (W3C Trace Context and Baggage), the request's name in logs, the language. */
const always = ["traceparent", "tracestate", "baggage", "x-request-id", "accept-language"] as const;

/** The most bytes, names and values together, that go on: what does not fit ends there. W3C Baggage alone may have 8,192. */
const MAX_BYTES = 8 * 1024;

/** Names that speak of one exchange, or of a protocol. */
const ofOneHop =
  /^(accept|accept-(charset|encoding|ranges)|connection|date|expect|host|keep-alive|te|trailer|transfer-encoding|upgrade|user-agent|via)$|^(:|access-control-|connect-|content-|grpc-|http2-|if-|proxy-|sec-)/;

/** Who vouches for its caller does so for one hop, and what is secret is not stored with sagas and events. */
const secrets = new Set(["authorization", "cookie", "set-cookie"]);

/** Attributes that events have of their own. */
const eventAttributes = new Set(
  "data datacontenttype dataschema id sequence source specversion subject time topicnumber type".split(" "),
);

/** PROPAGATED_HEADERS: what else goes on, between commas. */
export const propagatedHeadersVariable: EnvironmentReader<readonly string[]> = {
  expected: "names of headers, between commas, and none of one hop, of a protocol or of a credential",
  example: "x-tenant,x-region",
  fallback: { value: [] },
  parse(text) {
    const names = text.split(",").map((name) => name.trim().toLowerCase());
    const all = [...new Set([...always, ...names])];
    const attributes = new Set(all.map(attributeName));
    const areRight = names.every(
      (name) =>
        /^[a-z][a-z0-9_.-]*$/.test(name) &&
        !ofOneHop.test(name) &&
        !secrets.has(name) &&
        !eventAttributes.has(attributeName(name)),
    );
    return areRight && attributes.size === all.length ? names : undefined;
  },
};

/** Which headers of a call go on: to the calls that its handler makes, and to the sagas and events that it starts. */
export class Propagation {
  /** In lower case. */
  readonly names: readonly string[];

  /** @param more the names beside those that always go on: PROPAGATED_HEADERS */
  constructor(more: readonly string[] = []) {
    this.names = [...new Set([...always, ...more])];
  }

  /** Returns what goes on of a call's headers. A value that metadata cannot have ends there: gRPC's servers drop it, too. */
  of(header: Headers): Record<string, string> {
    const found: Record<string, string> = {};
    let left = MAX_BYTES;
    for (const name of this.names) {
      const value = header.get(name);
      if (value === null || name.length + value.length > left || !isMetadataValue(name, value)) continue;
      left -= name.length + value.length;
      found[name] = value;
    }
    return found;
  }

  /** Returns what goes on of the call that published an event with these attributes. */
  ofEvent(attributes: Readonly<Record<string, string>>): Record<string, string> {
    const found: Record<string, string> = {};
    for (const name of this.names) {
      const value = attributes[attributeName(name)];
      if (value !== undefined && isMetadataValue(name, value)) found[name] = value;
    }
    return found;
  }
}

/** That of the headers that always go on, and no others. */
export const standardPropagation = new Propagation();

/** Where the context of a call keeps what its service has go on. */
export const propagationKey = Symbol("propagation");

/** Returns what goes on of the call that a context belongs to. */
export function propagated(context: {
  readonly requestHeader: Headers;
  readonly [propagationKey]?: Propagation;
}): Record<string, string> {
  return (context[propagationKey] ?? standardPropagation).of(context.requestHeader);
}

/** The attribute of an event that a header becomes: CloudEvents has letters and digits only. */
export function attributeName(header: string): string {
  return header.replace(/[^a-z0-9]/g, "");
}
