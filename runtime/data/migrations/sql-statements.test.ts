import { expect, test } from "vitest";
import { splitSql } from "./sql-statements.js";

const split = (text: string) => splitSql(text).map(({ sql }) => sql);

test.each([
  ["nothing", " \n-- only a comment;\n/* and ; /* another */ ; */ ;;\n", []],
  ["the last needs no semicolon", "SELECT 1;\nSELECT 2", ["SELECT 1", "SELECT 2"]],
  ["quoted text", `SELECT 'a;''b', E'\\';', "a;""b";x`, [`SELECT 'a;''b', E'\\';', "a;""b"`, "x"]],
  ["dollar quotes", "DO $$ a; $$; DO $b$ $$ ; $b$; x", ["DO $$ a; $$", "DO $b$ $$ ; $b$", "x"]],
  ["no dollar quotes", "SELECT a$1$b; SELECT c$1$d", ["SELECT a$1$b", "SELECT c$1$d"]],
  ["comments inside", "SELECT -- ;\n1 /* ; */;x", ["SELECT -- ;\n1 /* ; */", "x"]],
  ["what never ends", "SELECT 'a;", ["SELECT 'a"]],
])("%s", (_, text, statements) => {
  expect(split(text)).toEqual(statements);
});

test("says where a statement begins", () => {
  const text = "-- one\nSELECT 1;\n\n-- two\nSELECT 2;";
  expect(splitSql(text).map(({ offset }) => text.slice(offset, offset + 8))).toEqual(["SELECT 1", "SELECT 2"]);
});
