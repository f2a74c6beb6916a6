/** Returns whether version `a` is newer than version `b`, by Semantic Versioning's precedence (https://semver.org, section 11). */
export function isNewer(a: string, b: string): boolean {
  const [left, right] = [split(a), split(b)];
  const core = compareParts(left.core, right.core);
  if (core !== 0) return core > 0;
  // 1.0.0-beta comes before 1.0.0.
  if (left.pre.length === 0 || right.pre.length === 0) return left.pre.length === 0 && right.pre.length > 0;
  return compareParts(left.pre, right.pre) > 0;
}

function split(version: string): { core: string[]; pre: string[] } {
  const [, core = "0", pre = ""] = /^([^-+]*)(?:-([^+]*))?/.exec(version) ?? [];
  return { core: core.split("."), pre: pre === "" ? [] : pre.split(".") };
}

function compareParts(a: readonly string[], b: readonly string[]): number {
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    const [left, right] = [a[i], b[i]];
    if (left === undefined || right === undefined) return left === undefined ? -1 : 1;
    if (left === right) continue;
    const numbers = [left, right].map((part) => /^\d+$/.test(part));
    if (numbers[0] && numbers[1]) return Number(left) - Number(right);
    // Numbers come before words.
    if (numbers[0] !== numbers[1]) return numbers[0] ? -1 : 1;
    return left < right ? -1 : 1;
  }
  return 0;
}
