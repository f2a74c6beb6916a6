import pg from "pg";
import { LoneSurrogateError } from "../../codec/lone-surrogate.js";
import { BoundedQuery } from "./bounded.js";
import { summary } from "./redact.js";

/** A statement, as the driver takes it. With a `name` the server prepares it once for each connection. */
export interface Statement {
  readonly text: string;
  readonly name?: string | undefined;
  readonly values?: readonly unknown[] | undefined;
  /** Rows as arrays, or as objects by columns' names. Default: as objects. */
  readonly rowMode?: "array" | undefined;
  /** How many bytes of rows are kept: see `BoundedQuery`. Default: all. */
  readonly maxBytes?: number | undefined;
  /** How cells are read. Default: as pg does. */
  readonly types?: pg.CustomTypesConfig | undefined;
}

/**
 * pg writes a lone surrogate as U+FFFD, so another text would be kept, or looked for, than was meant.
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
 * Sends statements in one go, and answers what each of them gave. They are one message to the server (extended query,
 * with one Sync at the end): once one fails, those after it are not begun, and the server answers once.
 *
 * @param refusal is asked when they are about to be sent, after those before them on the connection: an error keeps them back
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

/** What pg asks of whatever it runs, and of its own statements. */
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

/** What a connection has prepared, by name, and what is on its way to be. */
interface Prepared {
  readonly parsedStatements: Record<string, string | undefined>;
  readonly submittedNamedStatements: Record<string, string | undefined>;
}

/** What has the server answer (PostgreSQL, protocol-message-formats). */
const SYNC = Buffer.from("S\0\0\0\x04", "latin1");

/** pg's own, which its types leave out. */
const { Result } = pg as unknown as {
  Result: new (rowMode: string | undefined, types: pg.CustomTypesConfig) => pg.QueryArrayResult;
};

/** Stands for a connection while statements say what they would send. */
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

  /** Each would end with one of its own. */
  sync(): void {}
}
const { parse, bind, describe, execute, close } = pg.Connection.prototype;
Object.assign(Collector.prototype, { parse, bind, describe, execute, close });

/** Several of pg's own statements behind one another. */
class Batch implements Handler {
  readonly #queries: readonly One[];
  readonly callback: (error: Error | undefined) => void;
  #at = 0;
  /** A value that could not be sent. */
  #unsent: Error | undefined;

  readonly #refusal: () => Error | undefined;

  constructor(statements: readonly Statement[], refusal: () => Error | undefined, done: Done) {
    this.#refusal = refusal;
    this.#queries = statements.map(({ text, name, values, rowMode, maxBytes, types = pg.types }) => {
      // What pg is given as an object it copies property by property, which costs more than all else here.
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

  /** The statement that the server is at: pg notes by it what is prepared. */
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
    // One piece: the system and the server's process are woken once.
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
    // The server has not seen these.
    for (const { name } of this.#queries.slice(this.#at)) if (name) delete connection.submittedNamedStatements[name];
    this.callback(error);
  }

  handleReadyForQuery(connection: Connection): void {
    for (const query of this.#queries) query.handleReadyForQuery(connection);
    this.callback(this.#unsent);
  }
}
