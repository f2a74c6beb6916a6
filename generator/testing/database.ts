import { inject } from "vitest";

/** The URL of a fresh, empty database on the test run's PostgreSQL. Call it once per test file, in `beforeAll`. */
export async function testDatabase(): Promise<string> {
  const response = await fetch(inject("databases"));
  const text = await response.text();
  if (!response.ok) throw new Error(`No database for this test:\n${text}`);
  return text;
}
