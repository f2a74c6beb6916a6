/** What a `kafka://` URL says. */
export interface KafkaAddress {
  /** `host:port`, of some of the cluster's brokers: the first that answers names the others. */
  readonly brokers: readonly string[];
  readonly tls: boolean;
  readonly sasl?: { readonly mechanism: Mechanism; readonly username: string; readonly password: string };
}

const mechanisms = ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] as const;
type Mechanism = (typeof mechanisms)[number];

/**
 * Reads `kafka://host:9092,host2:9092`, `kafka+ssl://…` for TLS, and `user:password@…` for SASL, by SCRAM-SHA-512 unless
 * `?sasl=scram-sha-256` or `?sasl=plain` says otherwise. User and password are percent-encoded.
 *
 * @throws Error if it is no such URL; it does not repeat the password
 */
export function parseKafkaUrl(url: string): KafkaAddress {
  // `URL` takes one host only.
  const parts =
    /^kafka(\+ssl)?:\/\/(?:((?:[^%:@/]|%[0-9a-f]{2})+):((?:[^%@/]|%[0-9a-f]{2})*)@)?([^@/?#]+)\/?(?:\?([^#]*))?$/i.exec(
      url,
    );
  const [, ssl, user, password, hosts = "", query] = parts ?? [];
  const brokers = hosts.split(",").map((host) => (/:\d+$/.test(host) ? host : `${host}:9092`));
  const parameters = new URLSearchParams(query);
  const mechanism = (parameters.get("sasl") ?? "scram-sha-512").toUpperCase() as Mechanism;
  parameters.delete("sasl");
  if (parts === null || hosts.split(",").includes("") || parameters.size > 0 || !mechanisms.includes(mechanism)) {
    const shown = url.replace(/\/\/.*@/, "//…@");
    throw new Error(
      `${JSON.stringify(shown)} is no address of a Kafka cluster: it must be like kafka://host:9092,host2:9092, ` +
        "or kafka+ssl://user:password@host:9092?sasl=scram-sha-512 (scram-sha-256, plain)",
    );
  }
  return {
    brokers,
    tls: ssl !== undefined,
    ...(user === undefined
      ? {}
      : { sasl: { mechanism, username: decodeURIComponent(user), password: decodeURIComponent(password ?? "") } }),
  };
}

export function isKafkaUrl(text: string): boolean {
  try {
    parseKafkaUrl(text);
    return true;
  } catch {
    return false;
  }
}
