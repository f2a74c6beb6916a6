import { once } from "node:events";
import { open, rm } from "node:fs/promises";
import { connect, createServer, type Server } from "node:net";
import { join } from "node:path";

/** What systems take for a socket's path, at least. */
const LONGEST = 100;

/**
 * Takes a folder for this process alone, by listening on a socket in it: the system lets go of that however the process
 * ends. Answers what gives the folder back.
 */
export async function lockFolder(folder: string): Promise<() => Promise<void>> {
  const handle = await open(folder);
  // On Linux a folder has a short path too, as long as it is open.
  const path = join(process.platform === "linux" ? `/proc/self/fd/${handle.fd}` : folder, "lock");
  try {
    if (Buffer.byteLength(path) > LONGEST) {
      throw new Error(`the path ${folder} is too long: choose a JOURNAL_DIR of ${LONGEST - 5} bytes at most`);
    }
    // A process that died left the socket's name behind.
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
 * Whether the name is there, and surely nobody listens on it. A failure to connect for any other reason says nothing: no
 * descriptor is left, or the other process has too much to do to accept.
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
