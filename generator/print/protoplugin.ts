import { isKnown, loadFast } from "./fast.js";
import { loadPlainly, type Printer } from "./plain.js";

/** The printer of generated code, with shortcuts where the installed release is one they were written for. */
export const { createEcmaScriptPlugin, protocGenEs }: Printer = isKnown() ? loadFast() : loadPlainly();
