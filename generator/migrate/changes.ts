import type { Statement } from "./statement.js";

/** The rules that a change may violate. --allow accepts the first two for one run. */
export const allowable = ["MIGRATION_LOSES_DATA", "MIGRATION_BREAKS_OLD"] as const;
export type Allowable = (typeof allowable)[number];

/** A change that is not planned, and how to make it. */
export interface RefusedChange {
  readonly rule: Allowable | "MIGRATION_REFUSED" | "MIGRATION_NUMBER_REUSED";
  /** The full name of the message, and the number of the field if one is concerned. */
  readonly message: string;
  readonly field?: number;
  /** What is wrong, and how to fix the contract: a sentence without its full stop. */
  readonly problem: string;
  /** Steps to the same result, each compatible with the previous version: expand, backfill, contract. */
  readonly steps?: readonly string[];
  /** The SQL of the change. Undefined: it depends on the rows. */
  readonly statement?: string;
  /** The title of a migration with this change: "drop_orders_note". */
  readonly title: string;
}

/** A planned migration. Its title is like "add_orders_note". */
export interface Migration {
  /** Undefined: nothing changed. A title without statements means that only the snapshot changed. */
  readonly title: string | undefined;
  /** Run in one transaction. */
  readonly statements: readonly Statement[];
  /** Run one by one after the transaction: they take long, and lock little. */
  readonly outside: readonly Statement[];
}

/**
 * The order of statements. Constraints of dropped columns are removed first, so that a new table or column can take a name that a
 * rename frees; new constraints are added last. Statements of the last phase run outside a transaction.
 */
const phases = ["release", "rename", "create", "alter", "add", "drop", "index", "constrain", "outside"] as const;
type Phase = (typeof phases)[number];

/** Collects the statements of a migration, and its refused changes. */
export class Changes {
  readonly #statements: { readonly phase: Phase; readonly statement: Statement }[] = [];
  readonly #titles: string[] = [];
  readonly #refusals: RefusedChange[] = [];

  constructor(private readonly allowed: readonly Allowable[]) {}

  /** @param title names the change. Undefined: the change is part of another */
  plan(phase: Phase, statement: Statement, title?: string): void {
    this.#statements.push({ phase, statement });
    if (title !== undefined) this.#titles.push(title);
  }

  /** Records a change that needs no statement. */
  note(title: string): void {
    this.#titles.push(title);
  }

  /** Returns whether a change is allowed. Otherwise refuses it. */
  allows(refusal: RefusedChange & { readonly rule: Allowable }): boolean {
    if (this.allowed.includes(refusal.rule)) return true;
    this.refuse(refusal);
    return false;
  }

  refuse(refusal: RefusedChange): void {
    this.#refusals.push(refusal);
  }

  result(): Migration | { readonly refusals: readonly RefusedChange[] } {
    if (this.#refusals.length > 0) return { refusals: this.#refusals };
    const of = (wanted: Phase) =>
      this.#statements.filter(({ phase }) => phase === wanted).map(({ statement }) => statement);
    const [first, ...more] = this.#titles;
    return {
      title: more.length === 0 ? first : `${first}_and_${more.length}_more`,
      statements: phases.filter((phase) => phase !== "outside").flatMap(of),
      outside: of("outside"),
    };
  }
}
