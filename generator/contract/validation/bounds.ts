import { createRequire } from "node:module";
import { type Registry, ScalarType } from "@bufbuild/protobuf";
import { FieldBehavior } from "@protoscaffold/runtime/codegen/options/google/api/field_behavior_pb.js";
import { behaves } from "../behavior.js";
import type { Column, Entity } from "../contract.js";
import { fieldRules, messageExpressions } from "./validate-options.js";

/** A range of numbers, including its ends. */
interface Range {
  readonly low: bigint;
  readonly high: bigint;
}

const SIGNED_32: Range = { low: -(2n ** 31n), high: 2n ** 31n - 1n };
const SIGNED_64: Range = { low: -(2n ** 63n), high: 2n ** 63n - 1n };
const UNSIGNED_32: Range = { low: 0n, high: 2n ** 32n - 1n };
const UNSIGNED_64: Range = { low: 0n, high: 2n ** 64n - 1n };

/** The types whose arithmetic can overflow. */
const RANGES: Readonly<Partial<Record<ScalarType, Range>>> = {
  [ScalarType.INT32]: SIGNED_32,
  [ScalarType.SINT32]: SIGNED_32,
  [ScalarType.SFIXED32]: SIGNED_32,
  [ScalarType.UINT32]: UNSIGNED_32,
  [ScalarType.FIXED32]: UNSIGNED_32,
  [ScalarType.INT64]: SIGNED_64,
  [ScalarType.SINT64]: SIGNED_64,
  [ScalarType.SFIXED64]: SIGNED_64,
  [ScalarType.UINT64]: UNSIGNED_64,
  [ScalarType.FIXED64]: UNSIGNED_64,
};

/** Returns the largest number of a column's type, or undefined if the column does not hold whole numbers. */
export function largestOf(column: Column): bigint | undefined {
  return column.scalar && RANGES[column.scalar]?.high;
}

/**
 * Returns whether `buf.validate` keeps a column below the largest number of its type: by a rule of the field, or by an expression
 * of the field or the message. An expression counts if an upper bound of the column follows from its comparisons, sums and
 * differences. One that only mentions the column does not.
 */
export function isBoundedAbove(entity: Entity, column: Column, registry: Registry): boolean {
  const largest = largestOf(column);
  if (largest === undefined || rangeOfColumn(column, registry).high < largest) return true;
  const reader = new Reader(entity, column, largest, registry);
  return (
    (fieldRules(column.desc, registry)?.expressions ?? []).some((text) => reader.bounds(text, "field")) ||
    messageExpressions(entity.desc, registry).some((text) => reader.bounds(text, "message"))
  );
}

/** Returns the range that the type of a column and its typed rules allow. */
function rangeOfColumn(column: Column, registry: Registry): Range {
  const type = RANGES[column.scalar!]!;
  const typed = fieldRules(column.desc, registry)?.typed ?? {};
  const of = (rule: string) => (typed[rule] === undefined ? undefined : BigInt(typed[rule] as number | bigint));
  const list = typed.const === undefined ? (typed.in as (number | bigint)[] | undefined) : [typed.const as bigint];
  if (list !== undefined && list.length > 0) return hull(list.map((value) => point(BigInt(value))));
  const low = of("gte") ?? (typed.gt === undefined ? type.low : of("gt")! + 1n);
  const high = of("lte") ?? (typed.lt === undefined ? type.high : of("lt")! - 1n);
  // If the lower bound is above the upper one, the two exclude the range between them.
  return low <= high ? { low, high } : type;
}

/** The part of a parsed CEL expression that is used here: google.api.expr's Expr. */
interface Expr {
  readonly exprKind:
    | { readonly case: "callExpr"; readonly value: { readonly function: string; readonly args: readonly Expr[] } }
    | { readonly case: "identExpr"; readonly value: { readonly name: string } }
    | { readonly case: "listExpr"; readonly value: { readonly elements: readonly Expr[] } }
    | { readonly case: "constExpr"; readonly value: { readonly constantKind: { case?: string; value?: unknown } } }
    | {
        readonly case: "selectExpr";
        readonly value: { readonly operand?: Expr; readonly field: string; readonly testOnly: boolean };
      }
    | { readonly case?: undefined | "structExpr" | "comprehensionExpr" };
}

/** Derives bounds of one column from expressions that are true. */
class Reader {
  /** The field or message that has the rule: the meaning of `this`. */
  private scope: "field" | "message" = "message";

  constructor(
    private readonly entity: Entity,
    private readonly column: Column,
    private readonly largest: bigint,
    private readonly registry: Registry,
  ) {}

  bounds(text: string, scope: "field" | "message"): boolean {
    this.scope = scope;
    const expression = parse(text);
    return expression !== undefined && this.follows(expression, true);
  }

  /** Returns whether the column is bounded wherever an expression is true, or false. */
  private follows(expression: Expr, is: boolean): boolean {
    const { exprKind } = expression;
    // An unset field is 0.
    if (exprKind.case === "selectExpr" && exprKind.value.testOnly) return !is && this.isColumn(expression);
    // A rule may also be a string: it is fulfilled if that is empty. A value that is never empty bounds everything.
    if (exprKind.case === "constExpr") return isTrue(exprKind.value.constantKind.value) !== is;
    if (exprKind.case !== "callExpr") return false;
    const { function: name, args } = exprKind.value;
    const [a, b, c] = args as [Expr, Expr, Expr];
    switch (name) {
      case "!_":
        return this.follows(a, !is);
      case "_&&_":
      case "_||_": {
        const either = (name === "_&&_") === is;
        return either ? this.follows(a, is) || this.follows(b, is) : this.follows(a, is) && this.follows(b, is);
      }
      case "_?_:_":
        return (this.follows(a, true) || this.follows(b, is)) && (this.follows(a, false) || this.follows(c, is));
      case "_<=_":
        return is ? this.atMost(a, b) : this.atMost(b, a, 1n);
      case "_<_":
        return is ? this.atMost(a, b, 1n) : this.atMost(b, a);
      case "_>=_":
        return is ? this.atMost(b, a) : this.atMost(a, b, 1n);
      case "_>_":
        return is ? this.atMost(b, a, 1n) : this.atMost(a, b);
      case "_==_":
        return is && (this.atMost(a, b) || this.atMost(b, a));
      case "_!=_":
        return !is && (this.atMost(a, b) || this.atMost(b, a));
      case "@in":
        return is && this.atMost(a, b);
      default:
        return false;
    }
  }

  /** Returns whether the column is bounded if one number is at most another one, or smaller by a given amount. */
  private atMost(small: Expr, large: Expr, by = 0n): boolean {
    const [beside, most] = [this.beside(small, 1), this.range(large)];
    if (beside !== undefined && most !== undefined && most.high - by - beside.low < this.largest) return true;
    const [against, least] = [this.beside(large, -1), this.range(small)];
    return against !== undefined && least !== undefined && against.high - by - least.low < this.largest;
  }

  /**
   * Returns the range of a sum without the column, which it adds (1) or subtracts (-1), or undefined if it uses the column
   * otherwise.
   */
  private beside(expression: Expr, sign: 1 | -1): Range | undefined {
    if (this.isColumn(expression)) return sign === 1 ? point(0n) : undefined;
    const { exprKind } = expression;
    if (exprKind.case !== "callExpr") return undefined;
    const { function: name, args } = exprKind.value;
    const [a, b] = args as [Expr, Expr];
    const opposite = sign === 1 ? -1 : 1;
    switch (name) {
      case "int":
      case "uint":
      case "double":
        return this.beside(a, sign);
      case "-_":
        return negative(this.beside(a, opposite));
      case "_+_":
        return sum(this.beside(a, sign), this.range(b)) ?? sum(this.range(a), this.beside(b, sign));
      case "_-_":
        return (
          sum(this.beside(a, sign), negative(this.range(b))) ?? sum(this.range(a), negative(this.beside(b, opposite)))
        );
      default:
        return undefined;
    }
  }

  /** Returns the range of a number, or undefined if it is not known. */
  private range(expression: Expr): Range | undefined {
    const { exprKind } = expression;
    if (exprKind.case === "constExpr") return constant(exprKind.value.constantKind.value);
    if (exprKind.case === "listExpr") {
      const ranges = exprKind.value.elements.map((element) => this.range(element));
      return ranges.every((range) => range !== undefined) && ranges.length > 0 ? hull(ranges) : undefined;
    }
    const column = this.entity.columns.find((each) => this.isColumn(expression, each));
    if (column !== undefined) return this.rangeOfCount(column);
    if (exprKind.case !== "callExpr") return undefined;
    const { function: name, args } = exprKind.value;
    const [a, b] = args.map((each) => this.range(each));
    if (name === "int" || name === "uint" || name === "double") return a;
    if (name === "-_") return negative(a);
    if (name === "_+_") return sum(a, b);
    if (name === "_-_") return sum(a, negative(b));
    if (name === "_*_" && a !== undefined && b !== undefined)
      return hull([a.low * b.low, a.low * b.high, a.high * b.low, a.high * b.high].map(point));
    return undefined;
  }

  /** Output-only numbers count things, so they are not below 0. */
  private rangeOfCount(column: Column): Range | undefined {
    if (column.scalar === undefined || RANGES[column.scalar] === undefined) return undefined;
    const { low, high } = rangeOfColumn(column, this.registry);
    return behaves(column.desc, FieldBehavior.OUTPUT_ONLY) ? { low: low < 0n ? 0n : low, high } : { low, high };
  }

  private isColumn({ exprKind }: Expr, column = this.column): boolean {
    if (this.scope === "field")
      return exprKind.case === "identExpr" && exprKind.value.name === "this" && column === this.column;
    if (exprKind.case !== "selectExpr") return false;
    const { operand, field } = exprKind.value;
    return (
      field === column.desc.name && operand?.exprKind.case === "identExpr" && operand.exprKind.value.name === "this"
    );
  }
}

/**
 * Parses CEL. Returns undefined for invalid CEL, which another rule reports. The parser takes 50 ms to load, and few contracts
 * need it.
 */
function parse(text: string): Expr | undefined {
  const cel = createRequire(import.meta.url)("@bufbuild/cel") as { parse(text: string): { readonly expr: Expr } };
  try {
    return cel.parse(text).expr;
  } catch {
    return undefined;
  }
}

function isTrue(value: unknown): boolean {
  return value === true || value === "";
}

function constant(value: unknown): Range | undefined {
  if (typeof value === "bigint") return point(value);
  if (typeof value !== "number" || !Number.isFinite(value)) return undefined;
  return { low: BigInt(Math.floor(value)), high: BigInt(Math.ceil(value)) };
}

function point(value: bigint): Range {
  return { low: value, high: value };
}

function sum(a: Range | undefined, b: Range | undefined): Range | undefined {
  return a && b && { low: a.low + b.low, high: a.high + b.high };
}

function negative(range: Range | undefined): Range | undefined {
  return range && { low: -range.high, high: -range.low };
}

function hull(ranges: readonly Range[]): Range {
  return {
    low: ranges.map(({ low }) => low).reduce((a, b) => (a < b ? a : b)),
    high: ranges.map(({ high }) => high).reduce((a, b) => (a > b ? a : b)),
  };
}
