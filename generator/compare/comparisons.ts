import type { Contract } from "../contract/contract.js";
import type { Diagnostic } from "../contract/diagnostic.js";
import { compareSagas } from "./sagas.js";

/**
 * Says what a change breaks on one surface of a system. Places name files as the image of `after` does; what has no place
 * there any more stands at the top of buf.yaml.
 */
export type Comparison = (before: Contract, after: Contract) => readonly Diagnostic[];

/** The surfaces that are compared, beside what buf compares. A new one is a line here. */
export const comparisons: readonly Comparison[] = [compareSagas];
