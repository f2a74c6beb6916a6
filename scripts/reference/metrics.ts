import { readFileSync } from "node:fs";
import { Metrics } from "../../runtime/observe/metrics.js";

/** Returns the page docs/reference/metrics.md: every series that a service exports. */
export async function metricsPage(): Promise<string> {
  const text = await new Metrics("orders").text();
  const series = [...text.matchAll(/^# HELP (\S+) (.*)\n# TYPE \S+ (\S+)$/gm)];
  const rows = series.map(
    ([, name = "", help, type]) => `| \`${name}\` | ${type} | ${labelsOf(name).join(", ")} | ${help} |`,
  );
  return `${intro}\n| series | type | labels | meaning |\n| --- | --- | --- | --- |\n${rows.join("\n")}\n`;
}

const source = readFileSync(new URL("../../runtime/observe/metrics.ts", import.meta.url), "utf8");

/** Returns the labels that a series is declared with: they are not in the text before it has a value. */
function labelsOf(name: string): string[] {
  const [, declaration = ""] = new RegExp(`"${name}"(.*?)\\);`, "s").exec(source) ?? [];
  const [, labels = ""] = /\[\s*((?:"\w+",?\s*)+)\]/.exec(declaration) ?? [];
  return [...labels.matchAll(/\w+/g)].map(([label]) => `\`${label}\``);
}

const intro = `# Metrics

\`GET /metrics\` on a service's own port responds in Prometheus' text format, over HTTP/1.1 and HTTP/2, with TLS if the port has it. Every series has the label
\`service\`, the service's short name. Gateways export no metrics yet. Which of these to alert on: [Metrics and alerts](../operate/metrics.md).

This page is printed from the declarations in the source.
`;
