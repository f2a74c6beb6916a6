/**
 * Whether metadata can have a value (gRPC over HTTP/2, "Custom-Metadata"): printable ASCII, or base64, padded or not, under a
 * name that ends in `-bin`; several of these between commas.
 */
export function isMetadataValue(name: string, value: string): boolean {
  return name.endsWith("-bin") ? value.split(",").every(isBase64) : /^[\x20-\x7e]*$/.test(value);
}

function isBase64(value: string): boolean {
  const [, digits = "", padding = ""] = /^ *([A-Za-z0-9+/]*)(={0,2}) *$/.exec(value) ?? [undefined, "?", "="];
  return padding === "" ? digits.length % 4 !== 1 : (digits.length + padding.length) % 4 === 0;
}
