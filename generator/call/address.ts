import { runFolder } from "../dev/folder.js";
import { readState } from "../dev/state.js";

const fallback = "http://127.0.0.1:8080";

/** Where the project's running system is reached; where it would be, if none runs. */
export async function runningAddress(root: string | undefined): Promise<string> {
  if (root === undefined) return fallback;
  return (await readState(runFolder(root).state))?.url ?? fallback;
}

/** The address of a server, of which the user may have left out the `http://`. */
export function parseAddress(text: string): string {
  const address = /^[a-z]+:\/\//i.test(text) ? text : `http://${text}`;
  const url = URL.canParse(address) ? new URL(address) : undefined;
  if (url === undefined || !["http:", "https:"].includes(url.protocol) || url.hostname === "") {
    throw new Error(`--address ${text} is no address: write it like http://127.0.0.1:8080`);
  }
  return address.replace(/\/+$/, "");
}
