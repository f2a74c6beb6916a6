/** Returns JSON with one line per element of its outer levels, so that a review shows what changed. */
export function layOut(value: unknown, levels: number, indent = ""): string {
  if (levels === 0 || typeof value !== "object" || value === null || Object.keys(value).length === 0) {
    return JSON.stringify(value);
  }
  const isArray = Array.isArray(value);
  const parts = Object.entries(value).map(([name, part]) => {
    const text = layOut(part, levels - 1, `${indent}  `);
    return `${indent}  ${isArray ? "" : `${JSON.stringify(name)}: `}${text}`;
  });
  const [open, close] = isArray ? "[]" : "{}";
  return `${open}\n${parts.join(",\n")}\n${indent}${close}`;
}
