import { ScalarType } from "@bufbuild/protobuf";

const grammar = /^(-?)(0|[1-9][0-9]*)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]+))?$/;
/** Matches integers that a JavaScript number holds exactly and that have one spelling. */
const small = /^(?:0|-?[1-9][0-9]{0,14})$/;

/** The range of an integer type. */
interface Range {
  readonly name: string;
  readonly least: bigint;
  readonly most: bigint;
  /** Whether TypeScript represents them as bigint. */
  readonly isWide: boolean;
}

const wide = (name: string, least: bigint, most: bigint): Range => ({ name, least, most, isWide: true });
const narrow = (name: string, least: bigint, most: bigint): Range => ({ name, least, most, isWide: false });

/** The range of each integer type. */
export const ranges: Readonly<Partial<Record<ScalarType, Range>>> = {
  [ScalarType.INT32]: narrow("int32", -(2n ** 31n), 2n ** 31n - 1n),
  [ScalarType.SINT32]: narrow("sint32", -(2n ** 31n), 2n ** 31n - 1n),
  [ScalarType.SFIXED32]: narrow("sfixed32", -(2n ** 31n), 2n ** 31n - 1n),
  [ScalarType.UINT32]: narrow("uint32", 0n, 2n ** 32n - 1n),
  [ScalarType.FIXED32]: narrow("fixed32", 0n, 2n ** 32n - 1n),
  [ScalarType.INT64]: wide("int64", -(2n ** 63n), 2n ** 63n - 1n),
  [ScalarType.SINT64]: wide("sint64", -(2n ** 63n), 2n ** 63n - 1n),
  [ScalarType.SFIXED64]: wide("sfixed64", -(2n ** 63n), 2n ** 63n - 1n),
  [ScalarType.UINT64]: wide("uint64", 0n, 2n ** 64n - 1n),
  [ScalarType.FIXED64]: wide("fixed64", 0n, 2n ** 64n - 1n),
};

/**
 * Parses a JSON number as an integer, exactly: `9007199254740993`, `1e3`, `100.0`.
 *
 * @returns the number in TypeScript's representation of the type; or, as a string, the reason why it is invalid
 */
export function wholeNumber(text: string, { name, least, most, isWide }: Range): number | bigint | string {
  if (small.test(text)) {
    const number = Number(text);
    if (number >= least && number <= most) return isWide ? BigInt(number) : number;
  }
  const [found, sign, whole, fraction = "", exponent = "0"] = grammar.exec(text) ?? [];
  if (found === undefined) return `is no whole number (${name})`;
  const digits = (whole + fraction).replace(/^0+/, "");
  if (digits === "") return isWide ? 0n : 0;
  let end = digits.length;
  while (digits[end - 1] === "0") end--;
  const significant = digits.slice(0, end);
  // The number of zeros after the significant digits. Out of any range if the exponent itself is too long to parse.
  const zeros = digits.length - significant.length - fraction.length + Number(exponent);
  if (zeros < 0) return `is no whole number (${name})`;
  // 2^64 has 20 digits.
  if (significant.length + zeros <= 20) {
    const number = BigInt(`${sign}${significant}${"0".repeat(zeros)}`);
    if (number >= least && number <= most) return isWide ? number : Number(number);
  }
  return `is out of range: ${name} is from ${least} to ${most}`;
}

/** Parses a JSON number as a float or double. Returns a string with the reason if it is invalid. */
export function fraction(text: string, isFloat: boolean): number | string {
  const name = isFloat ? "float" : "double";
  if (!grammar.test(text)) return `is no number (${name})`;
  const number = isFloat ? Math.fround(Number(text)) : Number(text);
  return Number.isFinite(number) ? number : `is out of range for a ${name}`;
}
