/** One part of a path template: literal text, `*` (one path segment) or `**` (all that are left). */
export type Segment = { readonly kind: "literal"; readonly text: string } | { readonly kind: "one" | "rest" };

/** A request field that takes its value from a part of the path. */
export interface Variable {
  /** The field's path in proto spelling: `product.id` is `["product", "id"]`. */
  readonly fieldPath: readonly string[];
  /** The first of the template's segments that it covers. */
  readonly start: number;
  /** One past the last of them. */
  readonly end: number;
  /** Whether it may span several path segments: then its value keeps `%2F` as it is. */
  readonly multi: boolean;
}

/** A parsed path template of google.api.http. */
export interface PathTemplate {
  readonly text: string;
  readonly segments: readonly Segment[];
  readonly variables: readonly Variable[];
  /** The custom verb after the last colon, `cancel` in `/v1/orders/{id}:cancel`. */
  readonly customVerb: string | undefined;
}

/** A path template that does not follow the grammar of google/api/http.proto. */
export class PathTemplateError extends Error {
  override readonly name = "PathTemplateError";
  constructor(
    readonly template: string,
    /** Where it goes wrong, counted from 1. */
    readonly column: number,
    readonly problem: string,
  ) {
    super(`path template "${template}", column ${column}: ${problem}`);
  }
}

/**
 * Parses a path template by the grammar of google/api/http.proto:
 *
 *     Template = "/" Segments [ Verb ] ;
 *     Segments = Segment { "/" Segment } ;
 *     Segment  = "*" | "**" | LITERAL | Variable ;
 *     Variable = "{" FieldPath [ "=" Segments ] "}" ;
 *     FieldPath = IDENT { "." IDENT } ;
 *     Verb     = ":" LITERAL ;
 *
 * @throws PathTemplateError
 */
export function parseTemplate(text: string): PathTemplate {
  return new Parser(text).template();
}

/** What a literal is made of: RFC 3986's pchar, less the characters that the grammar uses itself. */
const literal = /(?:[A-Za-z0-9\-._~!$&'()+,;@]|%[0-9A-Fa-f]{2})+/y;
const identifier = /[A-Za-z_][A-Za-z0-9_]*/y;

class Parser {
  private at = 0;
  private readonly segments: Segment[] = [];
  private readonly variables: Variable[] = [];

  constructor(private readonly text: string) {}

  template(): PathTemplate {
    if (!this.take("/")) this.fail('a template begins with "/"');
    this.segmentList(false);
    const customVerb = this.take(":") ? this.literal('a verb must follow ":"') : undefined;
    if (this.at < this.text.length) {
      this.fail(`"${this.text[this.at]}" cannot stand here; a literal percent-encodes it`);
    }
    const rest = this.segments.findIndex((segment) => segment.kind === "rest");
    if (rest !== -1 && rest !== this.segments.length - 1) {
      this.fail('nothing but a verb may follow "**"', this.text.indexOf("**"));
    }
    return { text: this.text, segments: this.segments, variables: this.variables, customVerb };
  }

  private segmentList(inVariable: boolean): void {
    do this.segment(inVariable);
    while (this.take("/"));
  }

  private segment(inVariable: boolean): void {
    if (this.take("**")) this.segments.push({ kind: "rest" });
    else if (this.take("*")) this.segments.push({ kind: "one" });
    else if (this.text[this.at] === "{") {
      if (inVariable) this.fail("a variable cannot contain another one");
      this.variable();
    } else {
      this.segments.push({ kind: "literal", text: this.literal('expected a literal, "*", "**" or "{"') });
    }
  }

  private variable(): void {
    const opened = this.at;
    this.take("{");
    const fieldPath: string[] = [];
    do fieldPath.push(this.match(identifier) ?? this.fail("expected the name of a field"));
    while (this.take("."));
    const start = this.segments.length;
    if (this.take("=")) this.segmentList(true);
    else this.segments.push({ kind: "one" });
    if (!this.take("}")) this.fail(`"{" of column ${opened + 1} is not closed here with "}"`);
    const name = fieldPath.join(".");
    if (this.variables.some((other) => other.fieldPath.join(".") === name)) {
      this.fail(`${name} is bound twice; a field takes its value from one place`, opened);
    }
    const end = this.segments.length;
    const multi = end - start > 1 || this.segments[start]?.kind === "rest";
    this.variables.push({ fieldPath, start, end, multi });
  }

  private literal(problem: string): string {
    const at = this.at;
    const text = this.match(literal) ?? this.fail(problem);
    try {
      return decodeURIComponent(text);
    } catch {
      return this.fail(`the percent-encoding of "${text}" is not UTF-8`, at);
    }
  }

  private match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text)?.[0];
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
