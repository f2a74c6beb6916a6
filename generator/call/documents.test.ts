import fc from "fast-check";
import { expect, it } from "vitest";
import { documents } from "./documents.js";

async function all(pieces: string[]): Promise<unknown[]> {
  const found: unknown[] = [];
  for await (const document of documents(pieces)) found.push(JSON.parse(document));
  return found;
}

it("finds the documents in any text, however it is cut", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.jsonValue()),
      fc.constantFrom(" ", "\n", "\r\n\t"),
      fc.nat(5),
      async (values, space, pretty) => {
        const text = values.map((value) => JSON.stringify(value, undefined, pretty)).join(space);
        const parsed = values.map((value) => JSON.parse(JSON.stringify(value)) as unknown);
        expect(await all([text])).toEqual(parsed);
        expect(await all([...text])).toEqual(parsed);
      },
    ),
    { numRuns: 50 },
  );
});

it("takes documents side by side", async () => {
  expect(await all([`{"a":"}\\""}{}[1]"x"`])).toEqual([{ a: '}"' }, {}, [1], "x"]);
});

it("yields a document as soon as it is complete", async () => {
  const found = documents(["{", "}", "{"]);
  expect(await found[Symbol.asyncIterator]().next()).toEqual({ value: "{}", done: false });
});
