import { readFileSync } from "node:fs";

/** What every system lets a process have, at least. */
const USUAL = 256;
/** As many as one event loop has any use for; more would only cost memory. */
const MOST_CONNECTIONS = 10_000;

/**
 * How many connections a process takes, each of which costs it so many file descriptors: three quarters of what it may
 * open, so that enough is left for files, databases and peers.
 */
export function connectionsAllowed(descriptorsEach = 1, descriptors = descriptorLimit()): number {
  return Math.max(1, Math.min(MOST_CONNECTIONS, Math.floor((0.75 * descriptors) / descriptorsEach)));
}

/** How many file descriptors this process may have open. Node.js raises its soft limit to the hard one when it starts. */
function descriptorLimit(): number {
  const soft = process.platform === "linux" ? limitOnLinux() : limitByReport();
  if (soft === "unlimited") return Number.POSITIVE_INFINITY;
  return Number(soft) || USUAL;
}

function limitOnLinux(): string | undefined {
  try {
    return /^Max open files\s+(\S+)/m.exec(readFileSync("/proc/self/limits", "latin1"))?.[1];
  } catch {
    return undefined;
  }
}

/** Slower, for it gathers all that is known of the process. */
function limitByReport(): string | number | undefined {
  const report = process.report?.getReport() as
    | { userLimits?: { open_files?: { soft?: string | number } } }
    | undefined;
  return report?.userLimits?.open_files?.soft;
}
