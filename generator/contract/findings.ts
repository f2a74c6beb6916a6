import type { AnyDesc } from "@bufbuild/protobuf";
import type { Rule } from "../rules/catalogue.js";
import type { Diagnostic } from "./diagnostic.js";
import { placeOf } from "./place.js";

/** Collects all that is wrong, so that one run tells the whole of it. */
export class Findings {
  readonly #found: Diagnostic[] = [];

  /** Something that stops generation. `option` points into the declaration's options (see `placeOf`). */
  error(rule: Rule, desc: AnyDesc, message: string, option?: readonly number[]): undefined {
    this.#found.push({ ...placeOf(desc, option), rule, message, severity: "error" });
  }

  /** Something worth knowing that is not wrong. */
  note(rule: Rule, desc: AnyDesc, message: string, option?: readonly number[]): undefined {
    this.#found.push({ ...placeOf(desc, option), rule, message, severity: "note" });
  }

  /** Everything found, by place. */
  all(): Diagnostic[] {
    return this.#found.toSorted(
      (a, b) => (a.file < b.file ? -1 : a.file > b.file ? 1 : 0) || a.line - b.line || a.column - b.column,
    );
  }
}
