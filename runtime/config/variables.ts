import { type EnvironmentReader, type EnvironmentText, optional, readEnvironment } from "./environment.js";

/** One environment variable of a kind of process: a row of its table. `P` describes the process. */
export interface EnvironmentVariable<P, T = unknown> {
  readonly reader: EnvironmentReader<T>;
  /** What it is for, as the reference prints it. */
  readonly meaning: string;
  /** What holds if it is not set, for a variable whose default is not a value. */
  readonly unset?: string;
  /** When it is asked for. Absent: always. Otherwise a value is checked, and not used. */
  readonly askedIf?: VariableCondition<P>;
  /** For a row that stands for several variables. */
  readonly each?: Names<P>;
}

/** When a variable is asked for. */
export interface VariableCondition<P> {
  /** A sentence, as errors and the reference have it: "the service owns data". */
  readonly text: string;
  holds(process: P, env: EnvironmentText): boolean;
}

/** The variables of one row. */
export interface Names<P> {
  /** How the reference names them: `<SERVICE>_URL`. */
  readonly pattern: string;
  /** What there is one for, as the reference has it: "each service that it calls". */
  readonly text: string;
  of(process: P): readonly string[];
}

/** The environment variables of a kind of process, by name; rows for several have a name of their own. */
export type Variables<P> = Readonly<Record<string, EnvironmentVariable<P>>>;

/** What a table reads: a value for each row, by name for rows that stand for several. */
export type Values<V> = { readonly [K in keyof V]: Value<V[K]> };

type Value<Row> = Row extends { readonly reader: EnvironmentReader<infer T> }
  ? Row extends { readonly each: object }
    ? Readonly<Record<string, T>>
    : Row extends { readonly askedIf: object }
      ? T | undefined
      : T
  : never;

/** Reads the variables of a process. Throws an EnvironmentError that names every fault, not the first. */
export function readVariables<P, V extends Variables<P>>(variables: V, process: P, env: EnvironmentText): Values<V> {
  const rows = Object.entries(variables).map(([key, row]) => {
    const isAsked = row.askedIf?.holds(process, env) ?? true;
    const reader = isAsked ? { ...row.reader, reason: row.askedIf?.text } : optional(row.reader);
    return { key, isAsked, reader, names: row.each?.of(process) };
  });
  const readers = rows.flatMap(({ key, reader, names = [key] }) => names.map((name) => [name, reader] as const));
  const read = readEnvironment(Object.fromEntries(readers), env);
  const values = rows.map(({ key, isAsked, names }) => {
    if (names !== undefined) return [key, Object.fromEntries(names.map((name) => [name, read[name]]))];
    return [key, isAsked ? read[key] : undefined];
  });
  return Object.fromEntries(values);
}
