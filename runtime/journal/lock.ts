import { once } from "node:events";
import { open, rm } from "node:fs/promises";
import { connect, createServer, type Server } from "node:net";
import { join } from "node:path";

/** The maximum length of a Unix socket's path on all supported systems. */
const LONGEST = 100;

/**
 * Locks a folder for this process by listening on a Unix socket in it: the kernel releases it however the process ends. Returns the
 * function that releases it.
 */
export async function lockFolder(folder: string): Promise<() => Promise<void>> {
  const handle = await open(folder);
  // On Linux an open folder also has a short path.
  const path = join(process.platform === "linux" ? `/proc/self/fd/${handle.fd}` : folder, "lock");
  try {
    if (Buffer.byteLength(path) > LONGEST) {
      throw new Error(`the path ${folder} is too long: choose a JOURNAL_DIR of ${LONGEST - 5} bytes at most`);
    }
    // A process that was killed left its socket file.
    if (await isAbandoned(path)) await rm(path, { force: true });
    const server = createServer((socket) => socket.destroy()).unref();
    server.listen(path);
    await once(server, "listening");
    return async () => {
      await closed(server);
      await handle.close();
    };
  } catch (error) {
    await handle.close();
    if ((error as NodeJS.ErrnoException).code !== "EADDRINUSE") throw error;
    throw new Error(`${folder} is another process's journal: give each instance a JOURNAL_DIR of its own`);
  }
}

/**
 * Returns whether the socket file exists and certainly has no listener. Any error other than a refused connection is inconclusive: this
 * process may be out of file descriptors, or the other one too busy to accept.
 */
async function isAbandoned(path: string): Promise<boolean> {
  const socket = connect(path);
  try {
    await once(socket, "connect");
    return false;
  } catch (error) {
    const { code = "" } = error as NodeJS.ErrnoException;
    return code === "ECONNREFUSED" || code === "ENOTSOCK";
  } finally {
    socket.destroy();
  }
}

function closed(server: Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()));
}
