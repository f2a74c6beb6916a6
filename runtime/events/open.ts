import type { Logger } from "../observe/log.js";
import type { Broker } from "./broker.js";

export interface OpenBrokerOptions {
  /** The service's short name: names its connections. */
  readonly service: string;
  readonly log?: Logger;
}

/** The protocols of BROKER_URL. */
export const brokerProtocols = ["postgres:", "postgresql:", "kafka:", "kafka+ssl:", "amqp:", "amqps:"] as const;

/**
 * Opens the broker that a URL names. It need not be there yet: what is published waits for it.
 *
 * @throws if the package that speaks its protocol is not installed
 */
export async function openBroker(url: string, options: OpenBrokerOptions): Promise<Broker> {
  // A cluster's URL names several hosts, which `URL` does not take.
  const protocol = /^[a-z+]+:/.exec(url)?.[0];
  switch (protocol) {
    case "postgres:":
    case "postgresql:":
      return (await import("./postgres.js")).openPostgres(url, options);
    case "kafka:":
    case "kafka+ssl:":
      return (await import("./kafka.js")).openKafka(url, options);
    case "amqp:":
    case "amqps:":
      return (await import("./rabbitmq.js")).openRabbitmq(url, options);
    default:
      throw new Error(`no broker speaks ${protocol} here: BROKER_URL begins with one of ${brokerProtocols.join(" ")}`);
  }
}
