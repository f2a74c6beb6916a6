import { Code, ConnectError, type ConnectRouter } from "@connectrpc/connect";
import { HealthCheckResponse_ServingStatus, Health as HealthService } from "../options/grpc/health/v1/health_pb.js";

/** Whether calls of a service can be answered. */
export type ServingStatus = "SERVING" | "NOT_SERVING" | "UNKNOWN";

/** The health of one process: of each service in it, by full name, and of the whole, by the empty name. */
export class Health {
  readonly #services = new Map<string, ServingStatus>();
  readonly #watchers = new Set<() => void>();
  #down = false;

  /** Sets a service's status. After `shutdown` it has no effect. */
  set(service: string, status: ServingStatus): void {
    if (this.#down) return;
    this.#services.set(service, status);
    this.#tell();
  }

  /** Reports everything as NOT_SERVING from now on, and ends the streams of those who watch, so that they let go. */
  shutdown(): void {
    this.#down = true;
    for (const service of this.#services.keys()) this.#services.set(service, "NOT_SERVING");
    this.#tell();
  }

  /** A service's status; undefined if it is not known. The process serves, under "", while all of its services do. */
  status(service: string): ServingStatus | undefined {
    if (service !== "") return this.#services.get(service);
    const serves = !this.#down && [...this.#services.values()].every((status) => status === "SERVING");
    return serves ? "SERVING" : "NOT_SERVING";
  }

  /** Every status, the process's own among them. */
  all(): Map<string, ServingStatus> {
    return new Map([["", this.status("") ?? "UNKNOWN"], ...this.#services]);
  }

  /** A service's status, then each change of it, until `signal` is aborted or the process shuts down. */
  async *watch(service: string, signal: AbortSignal): AsyncGenerator<ServingStatus | undefined> {
    let told = false;
    let last: ServingStatus | undefined;
    while (!signal.aborted) {
      const status = this.status(service);
      if (!told || status !== last) yield status;
      told = true;
      last = status;
      if (this.#down) return;
      // A change during the yield has told nobody here, so it is looked for before waiting.
      if (this.status(service) === last) await this.#change(signal);
    }
  }

  #tell(): void {
    for (const watcher of [...this.#watchers]) watcher();
  }

  async #change(signal: AbortSignal): Promise<void> {
    let wake: () => void = () => undefined;
    const woken = new Promise<void>((resolve) => {
      wake = resolve;
    });
    this.#watchers.add(wake);
    signal.addEventListener("abort", wake);
    await woken;
    this.#watchers.delete(wake);
    signal.removeEventListener("abort", wake);
  }
}

/** Serves `grpc.health.v1.Health` (https://github.com/grpc/grpc/blob/master/doc/health-checking.md). */
export function healthRoutes(health: Health): (router: ConnectRouter) => void {
  const answer = (status: ServingStatus) => ({ status: HealthCheckResponse_ServingStatus[status] });
  return (router) =>
    void router.service(HealthService, {
      check({ service }) {
        const status = health.status(service);
        if (status === undefined) throw new ConnectError(`no service ${service} is served here`, Code.NotFound);
        return answer(status);
      },
      async *watch({ service }, { signal }) {
        for await (const status of health.watch(service, signal)) {
          yield status ? answer(status) : { status: HealthCheckResponse_ServingStatus.SERVICE_UNKNOWN };
        }
      },
      list: () => ({
        statuses: Object.fromEntries([...health.all()].map(([name, status]) => [name, answer(status)])),
      }),
    });
}
