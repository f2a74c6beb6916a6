import type { Entry } from "./journal.js";

/** What one frame says: calls that came, and ids of those that are settled. */
export interface Page {
  readonly add: readonly Entry[];
  readonly done: readonly number[];
}

export function printPage(page: Page): Buffer {
  return Buffer.from(JSON.stringify(page));
}

export function readPage(payload: Buffer): Page {
  return JSON.parse(payload.toString()) as Page;
}

/** The whole entries at the beginning of a page of which the rest was never written. What it says is settled is left out. */
export function readTornPage(payload: Buffer): Page {
  const text = payload.toString();
  for (const end of ends(text)) {
    const page = parsed(`${text.slice(0, end)}],"done":[]}`);
    if (page !== undefined) return page;
  }
  return { add: [], done: [] };
}

/** Where the last whole entry may end, the likeliest place first. In a string the quotes of these marks would be escaped. */
function* ends(text: string): Generator<number> {
  yield text.indexOf('],"done":[');
  yield text.lastIndexOf("}]") + 1;
  for (let end = text.length; end >= 0; end = text.lastIndexOf(',{"id":', end - 1)) yield end;
}

function parsed(text: string): Page | undefined {
  try {
    return JSON.parse(text) as Page;
  } catch {
    return undefined;
  }
}
