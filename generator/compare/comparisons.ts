import type { Contract } from "../contract/contract.js";
import type { Diagnostic } from "../contract/findings/diagnostic.js";
import { compareSagas } from "./sagas.js";

/**
 * Returns what a change breaks on one surface of a system. A finding about a deleted declaration stands beside what is left of
 * its surroundings in `after`, or at the top of buf.yaml if nothing is, and its `old` is the place in `before`. Places name
 * files as the images do.
 */
export type Comparison = (before: Contract, after: Contract) => readonly Diagnostic[];

/** The surfaces that are compared, in addition to what buf compares. */
export const comparisons: readonly Comparison[] = [compareSagas];
