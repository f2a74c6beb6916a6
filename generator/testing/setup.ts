import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { TestProject } from "vitest/node";

declare module "vitest" {
  export interface ProvidedContext {
    /** Where test files ask for databases. */
    databases: string;
  }
}

/**
 * One PostgreSQL for a whole test run, started when a test first asks for a database: runs that need none stay fast.
 * Test files are other processes, so they ask over HTTP.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  let server: Promise<TestServer> | undefined;
  const desk = createServer((_request, response) => {
    server ??= startServer();
    server
      .then((started) => started.databaseUrl())
      .then(
        (url) => response.end(url),
        (error: unknown) => response.writeHead(500).end(error instanceof Error ? error.stack : String(error)),
      );
  });
  await new Promise<void>((resolve) => desk.listen(0, "127.0.0.1", resolve));
  project.provide("databases", `http://127.0.0.1:${(desk.address() as AddressInfo).port}`);
  return async () => {
    desk.close();
    desk.closeAllConnections();
    await (await server)?.stop();
  };
}

interface TestServer {
  databaseUrl(): Promise<string>;
  stop(): Promise<void>;
}

/** `TEST_POSTGRES_URL` names a server that is there already, by a user who may make databases; it is left running. */
async function startServer(): Promise<TestServer> {
  const url = process.env.TEST_POSTGRES_URL;
  return url === undefined ? startEmbedded() : useServer(url);
}

async function useServer(url: string): Promise<TestServer> {
  const { default: pg } = await import("pg");
  return {
    async databaseUrl() {
      const name = databaseName();
      const client = new pg.Client({ connectionString: url });
      await client.connect();
      try {
        await client.query(`create database ${name}`);
      } finally {
        await client.end();
      }
      return Object.assign(new URL(url), { pathname: `/${name}` }).href;
    },
    stop: async () => undefined,
  };
}

async function startEmbedded(): Promise<TestServer> {
  const { chmod, mkdtemp, rm } = await import("node:fs/promises");
  const { tmpdir } = await import("node:os");
  const { join } = await import("node:path");
  const { removePostgres, startPostgres } = await import("../dev/postgres.js");
  const directory = await mkdtemp(join(tmpdir(), "scaffold-test-postgres-"));
  // PostgreSQL runs as another user when this is root, so the way to its data must be open.
  await chmod(directory, 0o711);
  // Nothing here outlives the run, so nothing needs to reach the disk.
  const postgres = await startPostgres({ directory: join(directory, "data"), fsync: false });
  return {
    async databaseUrl() {
      const name = databaseName();
      await postgres.createDatabase(name);
      return postgres.url(name);
    },
    async stop() {
      await postgres.stop();
      await removePostgres(join(directory, "data"));
      await rm(directory, { recursive: true, force: true });
    },
  };
}

function databaseName(): string {
  return `test_${randomUUID().replaceAll("-", "")}`;
}
