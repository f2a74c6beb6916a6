import type { RequestListener } from "node:http";
import type { Metrics } from "./metrics.js";

/** Answers `GET /metrics` in Prometheus' text format, and leaves all else to `next`. */
export function withMetrics(metrics: Metrics, next: RequestListener): RequestListener {
  return (request, response) => {
    const asks = request.method === "GET" || request.method === "HEAD";
    if (!asks || request.url?.split("?", 1)[0] !== "/metrics") {
      next(request, response);
      return;
    }
    void metrics.text().then((text) => {
      response.writeHead(200, { "content-type": "text/plain; version=0.0.4; charset=utf-8" });
      response.end(request.method === "HEAD" ? undefined : text);
    });
  };
}
