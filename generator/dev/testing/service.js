// A service or gateway as small as one can be that still behaves: it answers the health check, uses its database, drains
// when it is told to or has lost its supervisor, and writes down in which order things ended.
import { appendFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import pg from "pg";

/** Runs as this process. `journal` is the file in which all of them write what they do, one line each. */
export function run(name, journal) {
  const url = process.env.DATABASE_URL;
  const pool = url && new pg.Pool({ connectionString: url, max: 2 });
  // Connections end when PostgreSQL is killed.
  pool?.on("error", () => {});
  const held = [];
  const note = (line) => appendFileSync(journal, `${name} ${line}\n`);

  const server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url, "http://127.0.0.1");
    if (pathname === "/grpc.health.v1.Health/Check") return response.end('{"status":"SERVING"}');
    // Answered only once this process drains.
    if (pathname === "/hold") return held.push(response);
    if (pathname === "/who") return response.end(JSON.stringify({ name, pid: process.pid }));
    if (pathname === "/die") process.exit(3);
    if (pathname === "/count") {
      const { rows } = await pool
        .query("insert into calls default values returning id")
        .catch((error) => ({ rows: [error] }));
      return response.end(String(rows[0].id ?? rows[0].message));
    }
    // Everything else is passed on: /orders/count is orders' /count.
    const [, peer, rest] = /^\/(\w+)(\/.*)$/.exec(pathname) ?? [];
    const address = process.env[`${peer?.toUpperCase()}_URL`];
    if (!address) return response.writeHead(404).end();
    const answer = await fetch(address + rest).catch((error) => new Response(String(error), { status: 503 }));
    response.writeHead(answer.status).end(await answer.text());
  });

  let draining = false;
  async function drain(why) {
    if (draining) return;
    draining = true;
    server.close();
    const database = pool
      ? await pool.query("select 1").then(
          () => " database=up",
          () => " database=down",
        )
      : "";
    for (const response of held) response.end("drained");
    server.closeIdleConnections();
    await pool?.end();
    note(`ended why=${why}${database}`);
    process.exit(0);
  }
  process.on("SIGTERM", () => drain("SIGTERM"));
  process.on("SIGINT", () => drain("SIGINT"));
  process.on("disconnect", () => drain("disconnect"));

  (async () => {
    await pool?.query("create table if not exists calls (id int generated always as identity)");
    server.listen(Number(process.env.PORT), process.env.HOST, () => note(`started pid=${process.pid}`));
  })();
}

export const journalIn = (root) => join(root, "journal");
