/** One statement of an SQL text, without its semicolon and preceding comments. */
export interface SqlStatement {
  readonly sql: string;
  /** The offset of its first character. */
  readonly offset: number;
}

/**
 * Matches tokens that may contain a semicolon: strings with '' or (in E'…') \' in them, quoted names, dollar-quoted strings, and
 * comments, of which block comments nest (PostgreSQL manual, 4.1).
 */
const opaque =
  /[eE]'(?:[^'\\]|\\[\s\S]|'')*'|'(?:[^']|'')*'|"(?:[^"]|"")*"|\$([A-Za-z_]\w*)?\$[\s\S]*?\$\1\$|--[^\n]*|\/\*|;|\w[\w$]*/y;

/** Returns the statements of an SQL text. */
export function splitSql(text: string): SqlStatement[] {
  const statements: SqlStatement[] = [];
  let start: number | undefined;
  const end = (at: number) => {
    if (start !== undefined) statements.push({ sql: text.slice(start, at).trimEnd(), offset: start });
    start = undefined;
  };
  for (let at = 0; at < text.length; ) {
    opaque.lastIndex = at;
    const token = opaque.exec(text)?.[0] ?? text[at]!;
    const next = token === "/*" ? commentEnd(text, at) : at + token.length;
    if (token === ";") end(at);
    else if (start === undefined && !/^(\s|--|\/\*)/.test(token)) start = at;
    at = next;
  }
  end(text.length);
  return statements;
}

function commentEnd(text: string, start: number): number {
  const mark = /\/\*|\*\//g;
  mark.lastIndex = start;
  let depth = 0;
  for (let found = mark.exec(text); found !== null; found = mark.exec(text)) {
    depth += found[0] === "/*" ? 1 : -1;
    if (depth === 0) return mark.lastIndex;
  }
  return text.length;
}
