import { never, type RuleEntries } from "./rule.js";

/** Rules about files on disk: generated ones, and templates. */
export const files = {
  GENERATED_STALE: {
    holds: "Generated files are committed and match the contract.",
    why: "A checkout of the repository builds what was reviewed, without the tool. scaffold check and generate --check compare; they write nothing.",
    language: "sh",
    bad: `git commit proto/shop/orders/v1/orders.proto`,
    good: `scaffold generate
git add proto generated
git commit`,
    ignoring: never("run scaffold generate, and commit what it writes."),
  },
  GENERATED_CONFLICT: {
    holds: "Generated files are not edited.",
    why: "The tool never overwrites work that git does not have. While one file has an edit in the way, nothing is written.",
    language: "sh",
    bad: `$EDITOR generated/shop/orders/v1/orders_service.ts
scaffold generate`,
    good: `# Let go of the edit, or move it to a file of your own:
scaffold generate --force generated/shop/orders/v1/orders_service.ts`,
    ignoring: never("the edit would be lost."),
  },
  TEMPLATE_BROKEN: {
    holds: "Handlebars can parse and render a template.",
    why: "A template in templates/ replaces the tool's own. If it is broken, nothing is written.",
    language: "handlebars",
    bad: `{{#if entities}}
import { testDatabase } from "protoscaffold/testing/database";`,
    good: `{{#if entities}}
import { testDatabase } from "protoscaffold/testing/database";
{{/if}}`,
    ignoring: never("there is nothing to write without it."),
  },
  TEMPLATE_NAME_UNKNOWN: {
    holds: "A template uses names that it is given.",
    why: "A misspelled name would render as nothing, and be found much later. The finding lists the names at that place: inside {{#each}} they are the element's; {{../name}} is one of the outer scope.",
    language: "handlebars",
    bad: `{{#each entities}}
export const {{camel servce}} = …
{{/each}}`,
    good: `{{#each entities}}
export const {{camel ../service}} = …
{{/each}}`,
    ignoring: never("there is nothing to write in the name's place."),
  },
  SERVICE_PARTS: {
    holds: "A service is given its parts by name.",
    why: "This is a note; the compiler refuses the old form. Parts used to be distinguished by position: handlers, then consumers, then the rest. Now each has a name, and the contract decides which of them are required.",
    language: "ts",
    bad: `export const letters = letterService(
  (service) => ({ … }),
  (service) => ({ … }),
  { sendAll },
);`,
    good: `export const letters = letterService({
  handlers: (service) => ({ … }),
  consumers: (service) => ({ … }),
  sagas: { sendAll },
});`,
    ignoring: never("it is only a note; the code does not compile until it is changed."),
  },
  TEMPLATE_UNUSED: {
    holds: "A template in templates/ has the name of one of the tool's templates.",
    why: "This is a note, not an error. A file replaces the tool's template of the same name; under any other name it is never read. scaffold templates list shows the names.",
    language: "sh",
    bad: `templates/service/handler.ts.hbs`,
    good: `templates/service/handlers.ts.hbs`,
    ignoring: never("it is only a note; rename the file, or leave it."),
  },
} as const satisfies RuleEntries;
