import type { Statement } from "./statement.js";

/** The rules that a change may break. The first two can be allowed for one run; the contract can be wrong by the others. */
export const allowable = ["MIGRATION_LOSES_DATA", "MIGRATION_BREAKS_OLD"] as const;
export type Allowable = (typeof allowable)[number];

/** A change that is not planned, and how a person makes it. */
export interface Refusal {
  readonly rule: Allowable | "MIGRATION_REFUSED" | "MIGRATION_NUMBER_REUSED";
  /** The message concerned, by full name, and the number of its field, if it is about one. */
  readonly message: string;
  readonly field?: number;
  /** What is wrong, and the way out within the contract; a sentence without its full stop. */
  readonly problem: string;
  /** The way to it in steps, each of which runs beside the version before: expand, backfill, contract. */
  readonly steps?: readonly string[];
  /** The SQL that does it all the same; undefined if it depends on the rows. */
  readonly statement?: string;
  /** What a migration that does so is called: "drop_orders_note". */
  readonly title: string;
}

/** What is to be done, and what to call it: "add_orders_note". */
export interface Migration {
  /** Undefined: nothing changed. There may be a title without statements, for the contract alone changed. */
  readonly title: string | undefined;
  /** Run in one transaction. */
  readonly statements: readonly Statement[];
  /** Run after those, one by one: they take long, and lock little. */
  readonly outside: readonly Statement[];
}

/**
 * Statements run in this order: constraints let go of what is dropped, so that a new table or column can have the name
 * that a renamed one gives up, and hold on to what is new. Those of the last phase run outside a transaction.
 */
const phases = ["release", "rename", "create", "alter", "add", "drop", "index", "constrain", "outside"] as const;
type Phase = (typeof phases)[number];

/** Collects what a migration does, and everything that it must not do. */
export class Changes {
  readonly #statements: { readonly phase: Phase; readonly statement: Statement }[] = [];
  readonly #titles: string[] = [];
  readonly #refusals: Refusal[] = [];

  constructor(private readonly allowed: readonly Allowable[]) {}

  /** @param title names the change; without one it goes unnamed, for it belongs to another */
  plan(phase: Phase, statement: Statement, title?: string): void {
    this.#statements.push({ phase, statement });
    if (title !== undefined) this.#titles.push(title);
  }

  /** Has a change recorded for which there is nothing to do. */
  note(title: string): void {
    this.#titles.push(title);
  }

  /** Whether a change is to be planned; if not, it is refused. */
  allows(refusal: Refusal & { readonly rule: Allowable }): boolean {
    if (this.allowed.includes(refusal.rule)) return true;
    this.refuse(refusal);
    return false;
  }

  refuse(refusal: Refusal): void {
    this.#refusals.push(refusal);
  }

  result(): Migration | { readonly refusals: readonly Refusal[] } {
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
