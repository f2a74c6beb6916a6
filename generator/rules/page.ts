import { catalogue, subjects } from "./catalogue.js";
import type { RuleEntry } from "./rule.js";

/** Returns the page docs/reference/rules.md. */
export function rulesPage(): string {
  const table = Object.entries(catalogue).map(([id, { holds }]) => `| [\`${id}\`](#${id.toLowerCase()}) | ${holds} |`);
  return `${intro}\n| rule | requirement |\n| --- | --- |\n${table.join("\n")}\n${subjects
    .map(({ title, rules }) => `\n## ${title}\n${Object.entries<RuleEntry>(rules).map(section).join("")}`)
    .join("")}`;
}

function section([id, { holds, why, language, bad, good, ignoring }]: [string, RuleEntry]): string {
  return `
### ${id}

${holds}

${why}

Bad:

\`\`\`${language}
${bad}
\`\`\`

Good:

\`\`\`${language}
${good}
\`\`\`

${ignoring.allowed ? `Can be ignored: then ${ignoring.text}` : `Cannot be ignored: ${ignoring.text}`}
`;
}

const intro = `# Rules

The findings of the tool, beside buf's own rules and TypeScript's errors. Each finding has a place and a way out. A note informs; an error stops
generation and makes the exit code 100. \`scaffold explain <rule>\` prints a rule's section of this page.

A comment on the line above a finding, or at the end of its line, ignores it and says why. A comment without a reason, or with nothing to ignore, is a
finding itself. Rules without which code cannot be generated cannot be ignored.

\`\`\`proto
// scaffold:ignore METHOD_NEAR_STANDARD it filters by the caller's region
rpc ListOrders(ListOrdersRequest) returns (stream Order);
\`\`\`

buf's rules are [buf's](https://buf.build/docs/lint/rules/), with a comment of their own: \`// buf:lint:ignore <rule>\`.
`;
