import { flag, httpUrl, milliseconds, oneOf, port, readEnvironment, text } from "../config/environment.js";
import { allowedHostsVariable } from "../config/hosts.js";
import { type TlsEnvironment, tlsVariables } from "../config/tls.js";
import { type LogLevel, logLevels } from "../observe/log.js";
import { addressVariable, type System } from "../spec/system.js";

/** What a gateway is told by its environment. */
export interface GatewayEnvironment extends TlsEnvironment {
  readonly PORT: number;
  readonly HOST: string;
  readonly ALLOWED_HOSTS?: readonly string[] | undefined;
  readonly SOURCE_MAPS?: boolean;
  readonly LOG_LEVEL: LogLevel;
  readonly DRAIN_TIMEOUT_MS: number;
  /** Where the services are, by the names of the variables that say it: `ORDERS_URL`. */
  readonly addresses: Readonly<Record<string, string>>;
}

/** @throws EnvironmentError that names everything that is missing or wrong */
export function readGatewayEnvironment(system: System, env?: NodeJS.ProcessEnv): GatewayEnvironment {
  const names = system.services.map(({ name }) => addressVariable(name));
  const {
    PORT,
    HOST,
    ALLOWED_HOSTS,
    SOURCE_MAPS,
    LOG_LEVEL,
    DRAIN_TIMEOUT_MS,
    TLS_CERT_FILE,
    TLS_KEY_FILE,
    TLS_CLIENT_CA_FILE,
    TLS_CA_FILE,
    ...addresses
  } = readEnvironment(
    {
      PORT: port(),
      HOST: text("127.0.0.1"),
      ALLOWED_HOSTS: allowedHostsVariable,
      SOURCE_MAPS: flag(false),
      LOG_LEVEL: oneOf(logLevels, "info"),
      DRAIN_TIMEOUT_MS: milliseconds(10_000),
      ...tlsVariables(env),
      ...Object.fromEntries(names.map((name) => [name, httpUrl()])),
    },
    env,
  );
  const tls = { TLS_CERT_FILE, TLS_KEY_FILE, TLS_CLIENT_CA_FILE, TLS_CA_FILE };
  return {
    PORT,
    HOST,
    ALLOWED_HOSTS,
    SOURCE_MAPS,
    LOG_LEVEL,
    DRAIN_TIMEOUT_MS,
    ...tls,
    addresses: addresses as Record<string, string>,
  };
}
