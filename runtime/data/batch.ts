import pg from "pg";

/** A statement, as the driver takes it. With a `name` the server prepares it once for each connection. */
export interface Statement {
  readonly text: string;
  readonly name?: string | undefined;
  readonly values?: readonly unknown[] | undefined;
}

/**
 * Sends statements in one go, and answers what each of them gave. They are one message to the server (extended query,
 * with one Sync at the end): once one fails, those after it are not begun, and the server answers once.
 */
export function runBatch(client: pg.ClientBase, statements: readonly Statement[]): Promise<pg.QueryArrayResult[]> {
  return new Promise((resolve, reject) => {
    client.query(new Batch(statements, (error, results) => (error ? reject(error) : resolve(results))));
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
  pg.Query & { callback: (error: Error | null) => void; prepare(connection: Connection): void; _result: Result };
type Result = pg.QueryArrayResult & { _types: typeof pg.types };
type Connection = pg.Connection & { readonly submittedNamedStatements: Record<string, string | undefined> };

/** Several of pg's own statements behind one another. */
class Batch implements Handler {
  readonly #queries: readonly One[];
  readonly callback: (error: Error | undefined) => void;
  #at = 0;
  /** A value that could not be sent. */
  #unsent: Error | undefined;

  constructor(statements: readonly Statement[], done: Done) {
    this.#queries = statements.map((statement) => {
      const query = new pg.Query(statement as pg.QueryConfig) as One;
      query._result._types ??= pg.types;
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

  submit = (connection: pg.Connection): void => {
    // Each would end with a Sync of its own.
    const sending = Object.create(connection, { sync: { value: () => undefined } }) as Connection;
    connection.stream.cork();
    try {
      for (const query of this.#queries) {
        query.prepare(sending);
        if (this.#unsent !== undefined) break;
      }
      connection.sync();
    } finally {
      connection.stream.uncork();
    }
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
