import { DrizzleQueryError } from "drizzle-orm/errors";
import pg from "pg";

/**
 * Returns a statement's error without any value of the statement or of rows, because errors go to logs, tables and people. It keeps the
 * operation and table, the SQLSTATE, and the names of columns and constraints.
 */
export function failedStatement(text: string, cause: unknown): unknown {
  if (!(cause instanceof Error)) return cause;
  const error = new DrizzleQueryError(text, [], withoutValues(cause));
  const state = cause instanceof pg.DatabaseError && cause.code ? ` (SQLSTATE ${cause.code})` : "";
  return retold(error, `${summary(text)} failed${state}`);
}

/** Returns `select orders` for `select "id", … from "orders" where …`. */
export function summary(text: string): string {
  const verb = /^\s*(\w+)/.exec(text)?.[1] ?? "query";
  const table = /\b(?:from|into|update)\s+"(\w+)"/i.exec(text)?.[1];
  return table === undefined ? verb : `${verb} ${table}`;
}

const done = new WeakSet<Error>();

/** Removes values from a PostgreSQL error and its causes. Other errors are unchanged. */
export function withoutValues<E>(error: E): E {
  for (let each: unknown = error; each instanceof Error && !done.has(each); each = each.cause) {
    done.add(each);
    if (each instanceof pg.DatabaseError) redact(each);
    else if (each instanceof DrizzleQueryError) {
      each.params = [];
      retold(each, `${summary(each.query)} failed`);
    }
  }
  return error;
}

function redact(error: pg.DatabaseError): void {
  // `Key (customer_id, slot)=(17, 3) already exists.`: keep the fields, drop the values.
  const keys = /\(([^=]+)\)=\(/.exec(error.detail ?? "")?.[1];
  error.detail = keys === undefined ? undefined : `Key (${keys})=(…)`;
  // The statement and arguments inside a function.
  error.where = error.internalQuery = error.hint = undefined;
  retold(error, told(error));
}

/** Returns the safe part of an error's message. Classes 22 and P0 quote values; messages raised by triggers may contain some. */
function told({ code: state = "", message, routine }: pg.DatabaseError): string {
  if (routine === "exec_stmt_raise") return `an error with SQLSTATE ${state} was raised`;
  if (state.startsWith("22")) return message.replace(/".*"/s, '"…"').replace(/: (0x|\d).*$/s, "");
  return known.test(state) ? message : `an error with SQLSTATE ${state} was raised`;
}
const known = /^(0[138A]|2[3568BDF]|3[DF]|4[02]|5[34578]|F0|XX)|^25|^57014/;

function retold<E extends Error>(error: E, message: string): E {
  const frames = /^ {4}at .*/ms.exec(error.stack ?? "")?.[0] ?? "";
  error.message = message;
  error.stack = `${error.name}: ${message}\n${frames}`;
  return error;
}
