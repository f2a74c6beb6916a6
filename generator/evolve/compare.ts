import type { DescEnum, DescField, DescMessage, DescOneof } from "@bufbuild/protobuf";
import { FeatureSet_FieldPresence } from "@bufbuild/protobuf/wkt";
import { held, isDelimited, isWellKnown } from "./shape.js";

/**
 * How an event's message changed: not on the wire; compatibly, so that either version reads what the other wrote; or so that a
 * person must say what old events mean.
 */
export type Change = "none" | "compatible" | "incompatible";

/** The comparison of two versions of a message. */
export interface Comparison {
  readonly change: Change;
  /** The numbers of the fields with the same meaning in both. */
  readonly carries: readonly number[];
  /** The members of the newer message, by their names in code, that are not fully covered by these fields. */
  readonly holes: readonly string[];
}

export function compare(old: DescMessage, now: DescMessage): Comparison {
  const torn = tornOneofs(old, now);
  const isCarried = (field: DescField) => {
    const before = fieldOf(old, field.number);
    if (before === undefined || (field.oneof !== undefined && torn.includes(field.oneof))) return false;
    return changeOfField(before, field) !== "incompatible" && !isReused(old, field);
  };
  const members = now.members.map((member) => {
    const fields = member.kind === "oneof" ? member.fields : [member];
    return { member, fields, isWhole: fields.every(isCarried) };
  });
  return {
    change: changeOf(old, now),
    carries: members.flatMap(({ fields, isWhole }) => (isWhole ? fields.map(({ number }) => number) : [])),
    holes: members.flatMap(({ member, isWhole }) => (isWhole ? [] : [member.localName])),
  };
}

/** Compares two messages and the messages that they contain. */
export function changeOf(old: DescMessage, now: DescMessage): Change {
  return worst(pairsIn(old, now).map(([before, after]) => ownChange(before, after)));
}

/** Yields the pairs of messages at the same place, starting with the given pair. */
export function pairsIn(old: DescMessage, now: DescMessage): (readonly [old: DescMessage, now: DescMessage])[] {
  const pairs = new Map([[`${old.typeName} ${now.typeName}`, [old, now] as const]]);
  for (const [before, after] of pairs.values()) {
    for (const field of before.fields) {
      const [inner, other] = [field.message, fieldOf(after, field.number)?.message];
      if (inner === undefined || other === undefined || isWellKnown(inner) || isWellKnown(other)) continue;
      const name = `${inner.typeName} ${other.typeName}`;
      if (!pairs.has(name)) pairs.set(name, [inner, other]);
    }
  }
  return [...pairs.values()];
}

/** Compares the fields of two messages, without the messages that they contain. */
function ownChange(old: DescMessage, now: DescMessage): Change {
  const gone = old.fields.filter(({ number }) => fieldOf(now, number) === undefined);
  const came = now.fields.filter(({ number }) => fieldOf(old, number) === undefined);
  const stayed = old.fields.flatMap((field) => {
    const after = fieldOf(now, field.number);
    return after === undefined ? [] : [ownChangeOfField(field, after)];
  });
  return worst([
    ...stayed,
    gone.length + came.length > 0 ? "compatible" : "none",
    // A new field may express what a removed one did: only a person can tell.
    gone.length > 0 && came.length > 0 ? "incompatible" : "none",
    came.some((field) => isReused(old, field)) ? "incompatible" : "none",
    tornOneofs(old, now).length > 0 ? "incompatible" : "none",
  ]);
}

/** Compares two fields, and the messages that they contain. */
function changeOfField(old: DescField, now: DescField): Change {
  const change = ownChangeOfField(old, now);
  const [before, after] = [old.message, now.message];
  const isInner = before !== undefined && after !== undefined && !isWellKnown(before) && !isWellKnown(after);
  return isInner ? worst([change, changeOf(before, after)]) : change;
}

function ownChangeOfField(old: DescField, now: DescField): Change {
  if (typeOf(old) !== typeOf(now)) return "incompatible";
  const { LEGACY_REQUIRED } = FeatureSet_FieldPresence;
  if (now.presence === LEGACY_REQUIRED && old.presence !== LEGACY_REQUIRED) return "incompatible";
  const isAsBefore =
    old.presence === now.presence &&
    old.oneof?.name === now.oneof?.name &&
    (old.fieldKind !== "list" || now.fieldKind !== "list" || old.packed === now.packed);
  const values = old.enum === undefined || now.enum === undefined ? "none" : changeOfEnum(old.enum, now.enum);
  return worst([isAsBefore ? "none" : "compatible", values]);
}

/** A removed value would be read as a number without a meaning. */
function changeOfEnum(old: DescEnum, now: DescEnum): Change {
  const [before, after] = [old, now].map(({ values }) => new Set(values.map(({ number }) => number)));
  if ([...before!].some((number) => !after!.has(number))) return "incompatible";
  return before!.size === after!.size && old.open === now.open ? "none" : "compatible";
}

/** The interpretation of a field's bytes. The same number in another type is another value. */
function typeOf(field: DescField): string {
  const [inner] = held(field);
  const name = inner === undefined ? field.scalar : isWellKnown(inner) ? inner.typeName : inner.kind;
  return `${field.fieldKind} ${field.fieldKind === "map" ? field.mapKey : ""} ${isDelimited(field)} ${name}`;
}

/** Returns the oneofs whose fields could be set together before. */
function tornOneofs(old: DescMessage, now: DescMessage): DescOneof[] {
  return now.oneofs.filter(({ fields }) => {
    const before = fields.flatMap(({ number }) => fieldOf(old, number) ?? []);
    const [first] = before;
    return before.length > 1 && before.some(({ oneof }) => oneof === undefined || oneof !== first?.oneof);
  });
}

/** Returns whether a field has the number of a removed one. */
function isReused({ proto }: DescMessage, { number }: DescField): boolean {
  return proto.reservedRange.some(({ start, end }) => start <= number && number < end);
}

function fieldOf({ fields }: DescMessage, number: number): DescField | undefined {
  return fields.find((field) => field.number === number);
}

function worst(changes: readonly Change[]): Change {
  if (changes.includes("incompatible")) return "incompatible";
  return changes.includes("compatible") ? "compatible" : "none";
}
