import type { ConnectionOptions, TlsOptions } from "node:tls";
import { certificates, type EnvironmentReader, optional, privateKey, readEnvironment } from "./environment.js";

/** What the environment says of TLS: the contents of files. */
export interface TlsEnvironment {
  /** Who this process is, to its callers and to the services that it calls. */
  readonly TLS_CERT_FILE?: string | undefined;
  readonly TLS_KEY_FILE?: string | undefined;
  /** Who vouches for callers, who must then show a certificate. */
  readonly TLS_CLIENT_CA_FILE?: string | undefined;
  /** Who vouches for the services that it calls. */
  readonly TLS_CA_FILE?: string | undefined;
}

/**
 * The variables of TLS. None need be set; a certificate needs its key, a key its certificate, and whoever asks callers for
 * theirs must have one to show.
 */
export function tlsVariables(env: Readonly<Record<string, string | undefined>> = process.env): {
  readonly [K in keyof TlsEnvironment]: EnvironmentReader<string | undefined>;
} {
  const path = env.TLS_CERT_FILE?.trim();
  const shows = Boolean(path || env.TLS_KEY_FILE?.trim() || env.TLS_CLIENT_CA_FILE?.trim());
  const key = privateKey({ variable: "TLS_CERT_FILE", path });
  return {
    TLS_CERT_FILE: shows ? certificates() : optional(certificates()),
    TLS_KEY_FILE: shows ? key : optional(key),
    TLS_CLIENT_CA_FILE: optional(certificates()),
    TLS_CA_FILE: optional(certificates()),
  };
}

/** How a port is served; undefined: without TLS. */
export function serverTls({ TLS_CERT_FILE, TLS_KEY_FILE, TLS_CLIENT_CA_FILE }: TlsEnvironment): TlsOptions | undefined {
  if (TLS_CERT_FILE === undefined) return undefined;
  const own = { cert: TLS_CERT_FILE, key: TLS_KEY_FILE };
  if (TLS_CLIENT_CA_FILE === undefined) return own;
  return { ...own, ca: TLS_CLIENT_CA_FILE, requestCert: true, rejectUnauthorized: true };
}

/** How peers with an https:// address are called. */
export function clientTls({ TLS_CERT_FILE, TLS_KEY_FILE, TLS_CA_FILE }: TlsEnvironment): ConnectionOptions {
  return {
    ...(TLS_CERT_FILE === undefined ? {} : { cert: TLS_CERT_FILE, key: TLS_KEY_FILE }),
    ...(TLS_CA_FILE === undefined ? {} : { ca: TLS_CA_FILE }),
  };
}

/** The same, as this process's environment says. Throws an EnvironmentError if it is wrong. */
export function processClientTls(): ConnectionOptions {
  return clientTls(readEnvironment(tlsVariables()));
}
