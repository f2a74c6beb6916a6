import { runFolder } from "../dev/folder.js";
import { readState } from "../dev/state.js";

const fallback = "http://127.0.0.1:8080";

/** Returns the address of the project's running system, or its address when it is started. */
export async function runningAddress(root: string | undefined): Promise<string> {
  if (root === undefined) return fallback;
  return (await readState(runFolder(root).state))?.url ?? fallback;
}

/** Returns the URL of a server. The user may leave out `http://`. */
export function parseAddress(text: string): string {
  const address = /^[a-z]+:\/\//i.test(text) ? text : `http://${text}`;
  const url = URL.canParse(address) ? new URL(address) : undefined;
  if (url === undefined || !["http:", "https:"].includes(url.protocol) || url.hostname === "") {
    throw new Error(`--address ${text} is not an address: write it like http://127.0.0.1:8080`);
  }
  return address.replace(/\/+$/, "");
}
