import type { AnyDesc } from "@bufbuild/protobuf";
import type { Rule } from "../../rules/catalogue.js";
import type { Diagnostic, Place } from "./diagnostic.js";
import { placeOf } from "./place.js";

/** Collects findings, so that one run reports all of them. */
export class Findings {
  readonly #found: Diagnostic[] = [];

  /**
   * Records an error, which stops generation.
   *
   * @param option points into the declaration's options (see `placeOf`)
   * @param old where a deleted declaration stood in the contract compared with
   */
  error(rule: Rule, desc: AnyDesc, message: string, option?: readonly number[], old?: Place): undefined {
    const place = { ...placeOf(desc, option), ...(old !== undefined && { old }) };
    this.#found.push({ ...place, rule, message, severity: "error" });
  }

  /** Records a note. */
  note(rule: Rule, desc: AnyDesc, message: string, option?: readonly number[]): undefined {
    this.#found.push({ ...placeOf(desc, option), rule, message, severity: "note" });
  }

  /** Returns the findings, sorted by place. */
  all(): Diagnostic[] {
    return this.#found.toSorted(
      (a, b) => (a.file < b.file ? -1 : a.file > b.file ? 1 : 0) || a.line - b.line || a.column - b.column,
    );
  }
}
