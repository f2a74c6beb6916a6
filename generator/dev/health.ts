import { request } from "node:http";

/** To grpc.health.v1.Health/Check. Readiness, not liveness: nothing here restarts what lives and cannot serve at the moment. */
const question = JSON.stringify({ service: "readiness" });

/** What fails here, before anything is asked: it says nothing of the process that was to be asked. */
const ours = new Set(["EMFILE", "ENFILE", "ENOBUFS", "ENOMEM", "EADDRNOTAVAIL", "EAGAIN"]);

/**
 * Asks a process, by the Connect protocol, whether it is ready: whether any call can be served. Undefined if it cannot be
 * asked, for want of descriptors or ports of ours. Never rejects.
 */
export function isServing(port: number, timeoutMs: number): Promise<boolean | undefined> {
  return new Promise((resolve) => {
    const call = request({
      host: "127.0.0.1",
      port,
      method: "POST",
      path: "/grpc.health.v1.Health/Check",
      headers: { "content-type": "application/json", "content-length": question.length },
      // A connection of its own: one that is kept would hold up the process when it drains.
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
