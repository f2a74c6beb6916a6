import { createTelemetry } from "../../runtime/observe/prometheus.js";
import { ServiceMetrics } from "../../runtime/service/metrics.js";

/** Returns the page docs/reference/metrics.md: every series that a service exports. */
export function metricsPage(): string {
  const telemetry = createTelemetry("orders");
  new ServiceMetrics(telemetry);
  const rows = telemetry.instruments.map(({ name, kind, labels, help }) => {
    const labelled = labels.map((label) => `\`${label}\``).join(", ");
    return `| \`${name}\` | ${kind} | ${labelled} | ${help} |`;
  });
  return `${intro}\n| series | type | labels | meaning |\n| --- | --- | --- | --- |\n${rows.join("\n")}\n`;
}

const intro = `# Metrics

\`GET /metrics\` on a service's own port responds in Prometheus' text format, over HTTP/1.1 and HTTP/2, with TLS if the port has it. Every series has the label
\`service\`, the service's short name. Gateways export no metrics yet. Which of these to alert on: [Metrics and alerts](../operate/metrics.md).

This page is printed from the declarations in the source.
`;
