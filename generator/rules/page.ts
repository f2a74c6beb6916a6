import { catalogue, subjects } from "./catalogue.js";
import type { RuleEntry } from "./rule.js";

/** The page docs/reference/rules.md, whole. */
export function rulesPage(): string {
  const table = Object.entries(catalogue).map(([id, { holds }]) => `| [\`${id}\`](#${id.toLowerCase()}) | ${holds} |`);
  return `${intro}\n| rule | what must hold |\n| --- | --- |\n${table.join("\n")}\n${subjects
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

What the tool finds beside buf's own rules and TypeScript's errors. Each finding names a place and a way out. A note informs; an error stops
generation and makes the exit code 100. \`scaffold explain <rule>\` prints what stands here.

A finding in a contract is ignored by a comment on the line above its place, or at the end of its line, with the reason; one that has nothing to
ignore, or gives no reason, is a finding itself. Rules without which no code can be generated cannot be ignored.

\`\`\`proto
// scaffold:ignore METHOD_NEAR_STANDARD it filters by the caller's region
rpc ListOrders(ListOrdersRequest) returns (stream Order);
\`\`\`

buf's rules are [buf's](https://buf.build/docs/lint/rules/), and so is their comment, \`// buf:lint:ignore <rule>\`.
`;
