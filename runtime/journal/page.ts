import type { JournalEntry } from "./entry.js";

/** The content of a frame: calls that arrived, and ids of calls that are settled. */
export interface JournalPage {
  readonly add: readonly JournalEntry[];
  readonly done: readonly number[];
}

export function printPage(page: JournalPage): Buffer {
  return Buffer.from(JSON.stringify(page));
}

export function readPage(payload: Buffer): JournalPage {
  return JSON.parse(payload.toString()) as JournalPage;
}

/** The readable rest of a page that was written only in part. */
export interface TornPage {
  /** The whole entries at its beginning. */
  readonly add: readonly JournalEntry[];
  /** Whether the page had no further entries. Its settled ids are lost. */
  readonly complete: boolean;
}

export function readTornPage(payload: Buffer): TornPage {
  const text = payload.toString();
  const allAdded = text.indexOf(ADDED);
  for (const end of ends(text, allAdded)) {
    const page = parsed(`${text.slice(0, end)}],"done":[]}`);
    if (page !== undefined) return { add: page.add, complete: end === allAdded };
  }
  return { add: [], complete: false };
}

/** The text that follows a page's entries. */
const ADDED = '],"done":[';

/** The offsets where the last whole entry may end, likeliest first. Inside a string the quotes of these marks would be escaped. */
function* ends(text: string, allAdded: number): Generator<number> {
  if (allAdded >= 0) yield allAdded;
  yield text.lastIndexOf("}]") + 1;
  for (let end = text.length; end >= 0; end = text.lastIndexOf(',{"id":', end - 1)) yield end;
}

function parsed(text: string): JournalPage | undefined {
  try {
    return JSON.parse(text) as JournalPage;
  } catch {
    return undefined;
  }
}
