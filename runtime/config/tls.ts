import type { ConnectionOptions, TlsOptions } from "node:tls";
import { certificates, optional, privateKey } from "./environment.js";
import type { VariableCondition, Variables } from "./variables.js";

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

const showsCertificate = ["TLS_CERT_FILE", "TLS_KEY_FILE", "TLS_CLIENT_CA_FILE"] as const;

/** The rows of TLS, of services and gateways. Who asks callers for a certificate must have one to show. */
export const tlsVariables = {
  TLS_CERT_FILE: {
    reader: certificates(),
    meaning:
      "The certificate with which it serves TLS, and nothing else. The services that it calls are shown it, too.",
    unset: "no TLS",
    askedIf: whenSet("TLS_KEY_FILE or TLS_CLIENT_CA_FILE is set"),
  },
  TLS_KEY_FILE: {
    reader: privateKey("TLS_CERT_FILE"),
    meaning: "The private key of its certificate.",
    unset: "no TLS",
    askedIf: whenSet("TLS_CERT_FILE or TLS_CLIENT_CA_FILE is set"),
  },
  TLS_CLIENT_CA_FILE: {
    reader: optional(certificates()),
    meaning: "The authority of callers, who must show a certificate.",
    unset: "any caller",
  },
  TLS_CA_FILE: {
    reader: optional(certificates()),
    meaning: "The authority of the services that it calls.",
    unset: "those of Node.js",
  },
} satisfies Variables<unknown>;

function whenSet(text: string): VariableCondition<unknown> {
  return { text, holds: (_process, env) => showsCertificate.some((name) => env[name]?.trim()) };
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
