import { expect, test } from "vitest";
import { renderText } from "./render.js";
import { TemplateError } from "./template-fault.js";

const data = { name: "order", entities: [{ table: "orders" }] };

function fault(text: string): string {
  try {
    return `rendered: ${renderText("t.hbs", text, data)}`;
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error;
    return error.diagnostics.map((d) => `${d.line}:${d.column} ${d.rule}: ${d.message}`).join("\n");
  }
}

test("renders names, blocks and helpers", () => {
  expect(renderText("t.hbs", "{{pascal name}}{{#each entities}} {{table}} of {{../name}}{{/each}}", data)).toBe(
    "Order orders of order",
  );
});

test("names that are missing are told, with those that there are at that place", () => {
  expect(fault("a\n  {{naem}}")).toBe(
    "2:5 TEMPLATE_NAME_UNKNOWN: There is no naem here; there are name, entities, and the helpers camel, pascal, kebab, json. Did you mean name?",
  );
  expect(fault("{{#each entities}}\n{{name}}{{/each}}")).toMatch(
    /^2:3 TEMPLATE_NAME_UNKNOWN: There is no name here; there are table,/,
  );
  expect(fault("{{camle name}}")).toMatch(/Did you mean camel\?$/);
});

test.each([
  ["a\n{{#if name}}b{{/each}}", "2:4 TEMPLATE_BROKEN: if doesn't match each: make them a pair."],
  ["a\n{{#if name}}\nb", `3:1 TEMPLATE_BROKEN: The template ends inside of a block`],
  ["a\n{{name", "2:1 TEMPLATE_BROKEN: A name, or }}, is expected"],
  ["a\n{{/if}}", `2:1 TEMPLATE_BROKEN: This closes or divides a block that is not open; it was read up to "a".`],
  ["{{> other}}", "1:1 TEMPLATE_BROKEN: The partial other could not be found"],
])("%j is broken, and where", (text, expected) => {
  expect(fault(text)).toContain(expected);
});
