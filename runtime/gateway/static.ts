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
 * A folder of small files, such as a web page, read once at start. A request can only ask for a path that was found
 * then, so that none can lead out of the folder. Links and names that begin with a dot are left out, and source maps, which
 * hold the sources, unless they are asked for.
 */
export class StaticFiles {
  private constructor(private readonly files: ReadonlyMap<string, StaticFile>) {}

  /** @throws Error if the folder cannot be read */
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

  /** Whether one of the files is found at a path. */
  has(path: string): boolean {
    return this.files.has(path);
  }

  /** Serves GET and HEAD of one of the files; returns false, and leaves the request alone, for anything else. */
  answer(request: FastifyRequest, reply: FastifyReply): boolean {
    if (request.method !== "GET" && request.method !== "HEAD") return false;
    const file = this.files.get(request.url.split("?", 1)[0]!);
    if (file === undefined) return false;
    // Kept by the browser, but asked for each time: a new deployment is seen at once.
    reply.header("etag", file.etag).header("cache-control", "no-cache").header("x-content-type-options", "nosniff");
    if (matches(request.headers["if-none-match"], file.etag)) void reply.code(304).send();
    else void reply.type(file.contentType).send(file.body);
    return true;
  }
}

/** `main.js.map`, `style.css.map` */
function isSourceMap(name: string): boolean {
  return /\.(?:[cm]?js|css)\.map$/i.test(name);
}

/** RFC 9110, 13.1.2: any of the tags, compared weakly. */
function matches(ifNoneMatch: string | undefined, etag: string): boolean {
  const tags = ifNoneMatch?.split(",").map((tag) => tag.trim().replace(/^W\//, ""));
  return tags !== undefined && (tags.includes(etag) || tags.includes("*"));
}
