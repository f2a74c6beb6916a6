import pg from "pg";
import { LoneSurrogateError } from "../../codec/lone-surrogate.js";
import { BoundedQuery } from "./bounded.js";
import { summary } from "./redact.js";

/** A statement for the driver. A named one is prepared once for each connection. */
export interface Statement {
  readonly text: string;
  readonly name?: string | undefined;
  readonly values?: readonly unknown[] | undefined;
  /** Returns rows as arrays instead of objects. Default: objects. */
  readonly rowMode?: "array" | undefined;
  /** The maximum size of the kept rows in bytes: see `BoundedQuery`. Default: no limit. */
  readonly maxBytes?: number | undefined;
  /** The parsers of column values. Default: those of pg. */
  readonly types?: pg.CustomTypesConfig | undefined;
}

/**
 * Refuses lone surrogates. pg replaces them with U+FFFD, so another string than the given one would be stored or looked up.
 *
 * @throws LoneSurrogateError if a parameter has one
 */
export function checkParameters({ text, values }: Pick<Statement, "text" | "values">): void {
  if (values?.every(isWhole) === false) throw new LoneSurrogateError(`a parameter of "${summary(text)}"`);
}

function isWhole(value: unknown): boolean {
  if (typeof value === "string") return value.isWellFormed();
  return !Array.isArray(value) || value.every(isWhole);
}

/**
 * Pipelines statements, and returns their results. They are one message to the server (extended query protocol with one Sync at the
 * end): after a failed statement the rest is skipped.
 *
 * @param refusal called just before they are sent, after earlier queries of the connection; an error cancels them
 */
export function runBatch(
  client: pg.ClientBase,
  statements: readonly Statement[],
  refusal: () => Error | undefined = () => undefined,
): Promise<pg.QueryArrayResult[]> {
  return new Promise((resolve, reject) => {
    client.query(new Batch(statements, refusal, (error, results) => (error ? reject(error) : resolve(results))));
  });
}

type Done = (error: Error | undefined, results: pg.QueryArrayResult[]) => void;

/** The interface of pg's queries that its client calls. */
interface Handler {
  readonly name?: string | undefined;
  readonly text: string;
  handleRowDescription(message: unknown): void;
  handleDataRow(message: unknown): void;
  handleCommandComplete(message: unknown, connection: Connection): void;
  handleEmptyQuery(connection: Connection): void;
  handleError(error: Error, connection: Connection): void;
  handleReadyForQuery(connection: Connection): void;
}

type One = Handler &
  pg.Query & {
    name: string | undefined;
    callback: (error: Error | null) => void;
    prepare(connection: Prepared): void;
    _result: pg.QueryArrayResult;
    _results: pg.QueryArrayResult;
  };
type Connection = pg.Connection & Prepared & { _send(message: Buffer): void };

/** A connection's prepared statements by name, and those being prepared. */
interface Prepared {
  readonly parsedStatements: Record<string, string | undefined>;
  readonly submittedNamedStatements: Record<string, string | undefined>;
}

/** The Sync message (PostgreSQL, protocol-message-formats). */
const SYNC = Buffer.from("S\0\0\0\x04", "latin1");

/** A property of pg that its types omit. */
const { Result } = pg as unknown as {
  Result: new (rowMode: string | undefined, types: pg.CustomTypesConfig) => pg.QueryArrayResult;
};

/** A recorder in place of a connection, for the messages of statements. */
class Collector implements Prepared {
  readonly messages: Buffer[] = [];
  readonly parsedStatements: Prepared["parsedStatements"];
  readonly submittedNamedStatements: Prepared["submittedNamedStatements"];

  constructor({ parsedStatements, submittedNamedStatements }: Prepared) {
    this.parsedStatements = parsedStatements;
    this.submittedNamedStatements = submittedNamedStatements;
  }

  _send(message: Buffer): void {
    this.messages.push(message);
  }

  // Each statement would send a Sync of its own.
  sync(): void {}
}
const { parse, bind, describe, execute, close } = pg.Connection.prototype;
Object.assign(Collector.prototype, { parse, bind, describe, execute, close });

/** Several pg queries in one pipeline. */
class Batch implements Handler {
  readonly #queries: readonly One[];
  readonly callback: (error: Error | undefined) => void;
  #at = 0;
  /** An error during serialization. */
  #unsent: Error | undefined;

  readonly #refusal: () => Error | undefined;

  constructor(statements: readonly Statement[], refusal: () => Error | undefined, done: Done) {
    this.#refusal = refusal;
    this.#queries = statements.map(({ text, name, values, rowMode, maxBytes, types = pg.types }) => {
      // pg copies each property of an object argument, which is comparatively expensive.
      const given = values as unknown[];
      const query = (
        maxBytes === undefined ? new pg.Query(text, given) : new BoundedQuery(text, given, maxBytes)
      ) as One;
      query.name = name;
      query._result = query._results = new Result(rowMode, types);
      query.callback = (error) => {
        this.#unsent ??= error ?? undefined;
      };
      return query;
    });
    this.callback = (error) => done(error, error ? [] : this.#queries.map(({ _result }) => _result));
  }

  /** The statement whose results are being received: pg records by it what is prepared. */
  get #current(): One {
    return this.#queries[this.#at] as One;
  }
  get name() {
    return this.#current?.name;
  }
  get text() {
    return this.#current?.text;
  }

  submit = (connection: Connection): Error | undefined => {
    const refused = this.#refusal();
    if (refused !== undefined) return refused;
    const collector = new Collector(connection);
    for (const query of this.#queries) {
      query.prepare(collector);
      if (this.#unsent !== undefined) break;
    }
    // One write: a single system call and a single packet.
    connection._send(Buffer.concat([...collector.messages, SYNC]));
    return undefined;
  };

  handleRowDescription(message: unknown): void {
    this.#current.handleRowDescription(message);
  }

  handleDataRow(message: unknown): void {
    this.#current.handleDataRow(message);
  }

  handleCommandComplete(message: unknown, connection: Connection): void {
    this.#current.handleCommandComplete(message, connection);
    this.#at++;
  }

  handleEmptyQuery(connection: Connection): void {
    this.#current.handleEmptyQuery(connection);
    this.#at++;
  }

  handleError(error: Error, connection: Connection): void {
    // The server has not received these.
    for (const { name } of this.#queries.slice(this.#at)) if (name) delete connection.submittedNamedStatements[name];
    this.callback(error);
  }

  handleReadyForQuery(connection: Connection): void {
    for (const query of this.#queries) query.handleReadyForQuery(connection);
    this.callback(this.#unsent);
  }
}
