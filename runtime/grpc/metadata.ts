import { type Field, FieldKind } from "../http2/field.js";

/** Headers and trailers that the protocol sets. Handlers and callers cannot. */
const reserved =
  /^(:|connection$|keep-alive$|proxy-connection$|transfer-encoding$|upgrade$|te$|content-type$|content-length$|host$|grpc-(status|message|status-details-bin|encoding|timeout)$)/;

/** Returns header fields as `Headers`. */
export function headersOf(fields: readonly Field[]): Headers {
  const headers = new Headers();
  let cookie: string | undefined;
  for (const { name, value, kind } of fields) {
    // A peer may split cookies into several fields (RFC 9113, section 8.2.3).
    if (kind === FieldKind.Cookie) cookie = cookie === undefined ? value : `${cookie}; ${value}`;
    else headers.append(name, value);
  }
  if (cookie !== undefined) headers.append("cookie", cookie);
  return headers;
}

/** Appends metadata to a header block, in which names and values alternate. */
export function appendMetadata(fields: string[], headers: Headers): void {
  for (const [name, value] of headers) if (!reserved.test(name)) fields.push(name, value);
}
