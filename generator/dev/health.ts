import { request } from "node:http";

/** Calls grpc.health.v1.Health/Check. It reports readiness, not liveness: an unready process is not restarted. */
const question = JSON.stringify({ service: "readiness" });

/** Local failures before the request: they say nothing about the process. */
const ours = new Set(["EMFILE", "ENFILE", "ENOBUFS", "ENOMEM", "EADDRNOTAVAIL", "EAGAIN"]);

/**
 * Returns whether a process is ready to serve calls, by the Connect protocol. Undefined: no local file descriptors or ports
 * are left for the request. Never rejects.
 */
export function isServing(port: number, timeoutMs: number): Promise<boolean | undefined> {
  return new Promise((resolve) => {
    const call = request({
      host: "127.0.0.1",
      port,
      method: "POST",
      path: "/grpc.health.v1.Health/Check",
      headers: { "content-type": "application/json", "content-length": question.length },
      // Use a new connection: a kept one would delay the drain of the process.
      agent: false,
      signal: AbortSignal.timeout(timeoutMs),
    });
    call.on("error", ({ code = "" }: NodeJS.ErrnoException) => resolve(ours.has(code) ? undefined : false));
    call.on("response", (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => {
        text += chunk;
      });
      response.on("error", () => resolve(false));
      response.on("end", () => resolve(response.statusCode === 200 && /"status"\s*:\s*"SERVING"/.test(text)));
    });
    call.end(question);
  });
}
