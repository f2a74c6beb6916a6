import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { extname, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import type { FastifyReply, FastifyRequest } from "fastify";

const contentTypes: Readonly<Record<string, string>> = {
  ".css": "text/css; charset=utf-8",
  ".html": "text/html; charset=utf-8",
  ".ico": "image/x-icon",
  ".jpg": "image/jpeg",
  ".js": "text/javascript; charset=utf-8",
  ".json": "application/json",
  ".map": "application/json",
  ".png": "image/png",
  ".svg": "image/svg+xml",
  ".txt": "text/plain; charset=utf-8",
  ".wasm": "application/wasm",
  ".webp": "image/webp",
  ".woff2": "font/woff2",
};

interface StaticFile {
  readonly body: Buffer;
  readonly contentType: string;
  readonly etag: string;
}

/**
 * A folder of small files, such as a web page, read once at start. Only paths that were found then are served, so that no request
 * can read a file outside of the folder. Symbolic links and names that begin with a dot are left out, as are source maps, which
 * contain the sources, unless `sourceMaps` is set.
 */
export class StaticFiles {
  private constructor(private readonly files: ReadonlyMap<string, StaticFile>) {}

  /** Reads a folder. Throws an Error if it cannot be read. */
  static async load(folder: URL, { sourceMaps = false } = {}): Promise<StaticFiles> {
    const root = fileURLToPath(folder);
    const entries = await readdir(root, { recursive: true, withFileTypes: true }).catch((cause: Error) => {
      throw new Error(`the folder of static files cannot be read: ${cause.message}`, { cause });
    });
    const files = new Map<string, StaticFile>();
    for (const entry of entries) {
      const file = join(entry.parentPath, entry.name);
      const segments = relative(root, file).split(sep);
      if (!entry.isFile() || segments.some((segment) => segment.startsWith("."))) continue;
      if (!sourceMaps && isSourceMap(entry.name)) continue;
      const path = `/${segments.map(encodeURIComponent).join("/")}`;
      const body = await readFile(file);
      const etag = `"${createHash("sha256").update(body).digest("base64url")}"`;
      const contentType = contentTypes[extname(file)] ?? "application/octet-stream";
      files.set(path.replace(/\/index\.html$/, "/"), { body, contentType, etag });
    }
    return new StaticFiles(files);
  }

  /** Returns whether a file is served at a path. */
  has(path: string): boolean {
    return this.files.has(path);
  }

  /** Responds to GET and HEAD of a file. Returns false, and does not respond, for any other request. */
  serve(request: FastifyRequest, reply: FastifyReply): boolean {
    if (request.method !== "GET" && request.method !== "HEAD") return false;
    const file = this.files.get(request.url.split("?", 1)[0]!);
    if (file === undefined) return false;
    // `no-cache`: the browser keeps the file, and revalidates it each time, so that it sees a new deployment at once.
    reply.header("etag", file.etag).header("cache-control", "no-cache").header("x-content-type-options", "nosniff");
    if (matches(request.headers["if-none-match"], file.etag)) void reply.code(304).send();
    else void reply.type(file.contentType).send(file.body);
    return true;
  }
}

/** Returns whether a name is that of a source map, such as `main.js.map` or `style.css.map`. */
function isSourceMap(name: string): boolean {
  return /\.(?:[cm]?js|css)\.map$/i.test(name);
}

/** Returns whether If-None-Match lists a file's tag, by weak comparison (RFC 9110, section 13.1.2). */
function matches(ifNoneMatch: string | undefined, etag: string): boolean {
  const tags = ifNoneMatch?.split(",").map((tag) => tag.trim().replace(/^W\//, ""));
  return tags !== undefined && (tags.includes(etag) || tags.includes("*"));
}
