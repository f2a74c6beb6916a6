import type { ConnectRouter } from "@connectrpc/connect";
import { onAbort } from "../call/on-abort.js";
import { errorFor } from "../errors/error.js";
import { HealthCheckResponse_ServingStatus, Health as HealthService } from "../options/grpc/health/v1/health_pb.js";

/** Whether calls of a service can be answered. */
export type ServingStatus = "SERVING" | "NOT_SERVING" | "UNKNOWN";

/**
 * The health of one process, by name:
 *
 *     liveness      SERVING as long as the process answers at all; what is not should be restarted
 *     readiness     SERVING while all of its services are, which is as long as any of their calls can be served, if only by
 *                   stale rows or deferred writes; what is not should get no calls
 *     (empty)       readiness
 *     a service     by its full name: whether any of its calls can be served
 *     a dependency  "database": for people; what can be served without it is served
 *
 * All of it is known beforehand: whoever asks waits for nothing.
 */
export class Health {
  readonly #services = new Map<string, ServingStatus>();
  readonly #dependencies = new Map<string, ServingStatus>();
  readonly #watchers = new Set<() => void>();
  #down = false;

  /** Sets a service's status. After `shutdown` it has no effect. */
  set(service: string, status: ServingStatus): void {
    if (this.#down || this.#services.get(service) === status) return;
    this.#services.set(service, status);
    this.#tell();
  }

  /** Sets the status of something that services depend on, and that may be away while they serve. */
  setDependency(name: string, status: ServingStatus): void {
    if (this.#dependencies.get(name) === status) return;
    this.#dependencies.set(name, status);
    this.#tell();
  }

  /** Reports every service and readiness as NOT_SERVING from now on, and ends the streams of those who watch, so that they let go. */
  shutdown(): void {
    this.#down = true;
    for (const service of this.#services.keys()) this.#services.set(service, "NOT_SERVING");
    this.#tell();
  }

  /** The status of that name; undefined if it is not known. */
  status(name: string): ServingStatus | undefined {
    if (name === "liveness") return "SERVING";
    if (name !== "" && name !== "readiness") return this.#services.get(name) ?? this.#dependencies.get(name);
    const serves = !this.#down && [...this.#services.values()].every((status) => status === "SERVING");
    return serves ? "SERVING" : "NOT_SERVING";
  }

  /** The status of each dependency, by name. */
  dependencies(): Readonly<Record<string, ServingStatus>> {
    return Object.fromEntries(this.#dependencies);
  }

  /** Every status, by name. */
  all(): Map<string, ServingStatus> {
    const own = ["", "liveness", "readiness"].map((name) => [name, this.status(name) ?? "UNKNOWN"] as const);
    return new Map([...own, ...this.#services, ...this.#dependencies]);
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
    const unfollow = onAbort(signal, wake);
    await woken;
    this.#watchers.delete(wake);
    unfollow();
  }
}

/** Serves `grpc.health.v1.Health` (https://github.com/grpc/grpc/blob/master/doc/health-checking.md). */
export function healthRoutes(health: Health): (router: ConnectRouter) => void {
  const answer = (status: ServingStatus) => ({ status: HealthCheckResponse_ServingStatus[status] });
  return (router) =>
    void router.service(HealthService, {
      check({ service }) {
        const status = health.status(service);
        if (status === undefined) throw errorFor("SERVICE_NOT_SERVED", `no service ${service} is served here`);
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
