import { type EnvironmentText, flag, httpUrl } from "../config/environment.js";
import { processVariables } from "../config/process-variables.js";
import { readVariables, type Values, type Variables } from "../config/variables.js";
import { addressVariable, type System } from "../spec/system.js";

/** The environment variables of a gateway. docs/reference/environment.md is generated from them. */
export const gatewayVariables = {
  ...processVariables,
  addresses: {
    reader: httpUrl(),
    meaning: "The address of a service, such as `ORDERS_URL`. `https://` is called with TLS.",
    each: {
      pattern: "<NAME>_URL",
      text: "each service of the system",
      of: ({ services }) => services.map(({ name }) => addressVariable(name)),
    },
  },
  SOURCE_MAPS: {
    reader: flag(false),
    meaning: "`on`: serve the source maps of its page, for development.",
  },
} satisfies Variables<System>;

/** The values of a gateway's variables. */
export type GatewayEnvironment = Values<typeof gatewayVariables>;

/** Reads the environment of a system's gateway. Throws an EnvironmentError that names every fault. */
export function readGatewayEnvironment(system: System, env: EnvironmentText): GatewayEnvironment {
  return readVariables(gatewayVariables, system, env);
}
