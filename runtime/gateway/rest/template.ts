/** A segment of a path template: a literal, `*` ("one" path segment) or `**` ("rest": any number of path segments). */
export type Segment = { readonly kind: "literal"; readonly text: string } | { readonly kind: "one" | "rest" };

/** A variable of a path template: the path sets the value of a request field. */
export interface Variable {
  /** The field's path with proto names: `product.id` is `["product", "id"]`. */
  readonly fieldPath: readonly string[];
  /** The index of the variable's first segment. */
  readonly start: number;
  /** The index after the variable's last segment. */
  readonly end: number;
  /** Whether the variable may match several path segments. Its value keeps `%2F` then. */
  readonly multi: boolean;
}

/** A parsed path template of google.api.http. */
export interface PathTemplate {
  readonly text: string;
  readonly segments: readonly Segment[];
  /** The index of `**` in the segments; -1 if the template has none. */
  readonly rest: number;
  readonly variables: readonly Variable[];
  /** The text after the first colon of the last segment: `cancel` in `/v1/orders/{id}:cancel`. */
  readonly customVerb: string | undefined;
}

/** A path template that does not follow the grammar of google/api/http.proto. */
export class PathTemplateError extends Error {
  override readonly name = "PathTemplateError";
  constructor(
    readonly template: string,
    /** The column of the fault, counted from 1. */
    readonly column: number,
    readonly problem: string,
  ) {
    super(`the path "${template}" is wrong at column ${column}: ${problem}`);
  }
}

/**
 * Parses a path template by the grammar of google/api/http.proto, or `/` alone. `**` is allowed at any position, as in grpc-gateway,
 * but only once, so that a path matches in one way, which is found without backtracking.
 *
 *     Template = "/" [ Segments [ Verb ] ] ;
 *     Segments = Segment { "/" Segment } ;
 *     Segment  = "*" | "**" | LITERAL | Variable ;
 *     Variable = "{" FieldPath [ "=" Segments ] "}" ;
 *     FieldPath = IDENT { "." IDENT } ;
 *     Verb     = ":" LITERAL ;
 *
 * The first colon of the last segment begins the verb, which may contain more colons. In other segments, a colon is literal.
 *
 * @throws PathTemplateError
 */
export function parseTemplate(text: string): PathTemplate {
  return new Parser(text).template();
}

/** Matches a literal: RFC 3986's `pchar` except `*`, which is a segment of its own. */
const literal = /(?:[A-Za-z0-9\-._~!$&'()+,;=:@]|%[0-9A-Fa-f]{2})+/y;
const identifier = /[A-Za-z_][A-Za-z0-9_]*/y;

class Parser {
  private at = 0;
  /** The part of the text that is being parsed: up to the verb's colon at first, and then all of it. */
  private part: string;
  private readonly segments: Segment[] = [];
  private readonly variables: Variable[] = [];

  constructor(private readonly text: string) {
    const last = Math.max(text.lastIndexOf("/"), text.lastIndexOf("}")) + 1;
    const colon = text.indexOf(":", last);
    this.part = colon === -1 ? text : text.slice(0, colon);
  }

  template(): PathTemplate {
    const { text, segments, variables } = this;
    if (!this.take("/")) this.fail(`a path begins with "/": write "/${text}"`);
    if (text !== "/") this.segmentList(false);
    if (this.at < this.part.length) this.misplaced();
    const customVerb = this.verb();
    const rest = segments.findIndex((segment) => segment.kind === "rest");
    return { text, segments, rest, variables, customVerb };
  }

  private segmentList(inVariable: boolean): void {
    do this.segment(inVariable);
    while (this.take("/"));
  }

  private segment(inVariable: boolean): void {
    const at = this.at;
    if (this.take("**")) {
      const isSecond = this.segments.some((segment) => segment.kind === "rest");
      if (isSecond) this.fail('"**" stands once in a path, or its parts could not be told apart: use "*" here', at);
      this.segments.push({ kind: "rest" });
    } else if (this.take("*")) this.segments.push({ kind: "one" });
    else if (this.next === "{") {
      if (inVariable) this.fail("a variable cannot contain another one");
      this.variable();
    } else {
      const text = this.literal() ?? this.noSegment();
      if (text === "." || text === "..") this.fail(`clients resolve "${text}" before they send a path: remove it`, at);
      this.segments.push({ kind: "literal", text });
    }
  }

  private variable(): void {
    const opened = this.at;
    this.take("{");
    const fieldPath: string[] = [];
    do fieldPath.push(this.match(identifier) ?? this.fail('expected the name of a field after "{" or "."'));
    while (this.take("."));
    const start = this.segments.length;
    if (this.take("=")) this.segmentList(true);
    else this.segments.push({ kind: "one" });
    if (!this.take("}")) this.fail(`the "{" of column ${opened + 1} is not closed: write "}" here`);
    const name = fieldPath.join(".");
    const rival = this.variables.map((other) => other.fieldPath.join(".")).find((other) => overlap(other, name));
    if (rival === name) this.fail(`${name} is bound twice: a field takes its value from one place`, opened);
    if (rival !== undefined) this.fail(`${name} and ${rival} set the same field: keep one`, opened);
    const end = this.segments.length;
    const multi = end - start > 1 || this.segments[start]?.kind === "rest";
    this.variables.push({ fieldPath, start, end, multi });
  }

  private verb(): string | undefined {
    if (this.part === this.text) return undefined;
    this.part = this.text;
    this.at += 1;
    const pieces = this.text.slice(this.at).split(":");
    if (pieces.includes("")) this.fail('a verb must follow ":": write one, or remove the colon', this.text.length);
    const verb = this.literal();
    if (this.at < this.text.length) this.misplaced();
    return verb;
  }

  private literal(): string | undefined {
    const at = this.at;
    const text = this.match(literal);
    try {
      return text && decodeURIComponent(text);
    } catch {
      return this.fail(`the percent-encoding of "${text}" is not UTF-8`, at);
    }
  }

  /** The next character of the part; undefined at its end. */
  private get next(): string | undefined {
    return this.at < this.part.length ? String.fromCodePoint(this.part.codePointAt(this.at)!) : undefined;
  }

  private noSegment(): never {
    const { next, at } = this;
    if (next === "/") this.fail("a segment is missing between two slashes: write one slash");
    if (next === "}") this.fail('expected a segment before "}": a literal, "*" or "**"');
    if (next !== undefined) this.misplaced();
    const path = this.text.slice(0, at - 1);
    return this.text[at] === ":"
      ? this.fail("a verb follows a segment, and here is none")
      : this.fail(`a path ends without a slash: write "${path}"`);
  }

  private misplaced(): never {
    const next = this.next!;
    const before = this.text[this.at - 1];
    if (before === "}") this.fail(`only "/", ":" or the end may follow "}", for a variable takes whole segments`);
    if (before === "*" || next === "*") this.fail('"*" and "**" take whole segments: put "/" around them');
    if (next === "{") this.fail('a variable takes whole segments: write "/" before "{"');
    if (next === "}") this.fail('there is no "{" for this "}"');
    if (next === "%") this.fail('two hexadecimal digits follow "%", which is itself "%25"');
    return this.fail(`${JSON.stringify(next)} cannot stand in a path: write "${encodeURIComponent(next)}"`);
  }

  private match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.part)?.[0];
    this.at += found?.length ?? 0;
    return found;
  }

  private take(token: string): boolean {
    if (!this.text.startsWith(token, this.at)) return false;
    this.at += token.length;
    return true;
  }

  private fail(problem: string, at = this.at): never {
    throw new PathTemplateError(this.text, at + 1, problem);
  }
}

/** Returns whether two field paths are equal, or one field contains the other. */
function overlap(a: string, b: string): boolean {
  return `${a}.`.startsWith(`${b}.`) || `${b}.`.startsWith(`${a}.`);
}
