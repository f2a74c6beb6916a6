import { readdir, readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

test("the index has every decision, by its own title, once", async () => {
  const folder = new URL("../docs/decisions/", import.meta.url);
  const names = (await readdir(fileURLToPath(folder))).filter((name) => /^\d{4}-.*\.md$/.test(name)).sort();
  const lines = await Promise.all(
    names.map(async (name) => {
      const [title = ""] = (await readFile(new URL(name, folder), "utf8")).split("\n");
      const [number] = name.split("-");
      expect(title, name).toMatch(new RegExp(`^# ${number} \\S`));
      return `- [${number}](${name}) ${title.slice(`# ${number} `.length)}`;
    }),
  );
  const index = await readFile(new URL("README.md", folder), "utf8");
  expect(
    index
      .split("\n")
      .filter((line) => line.startsWith("- "))
      .sort(),
  ).toEqual(lines);
});
