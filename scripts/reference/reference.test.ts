import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { commandsPage } from "./commands.js";
import { environmentPage } from "./environment.js";
import { errorsPage } from "./errors.js";
import { metricsPage } from "./metrics.js";
import { optionsPage } from "./options.js";

// After a change of what they are printed from: npx vitest run scripts/reference --update
test.each([
  ["commands", commandsPage],
  ["environment", environmentPage],
  ["errors", errorsPage],
  ["metrics", metricsPage],
  ["options", optionsPage],
])("docs/reference/%s.md is what the sources say", async (name, page) => {
  const path = fileURLToPath(new URL(`../../docs/reference/${name}.md`, import.meta.url));
  await expect(await page()).toMatchFileSnapshot(path);
});
