import { hasErrors, read } from "../check/read.js";
import type { Diagnostic } from "../contract/findings/diagnostic.js";
import { processOwners } from "../contract/services/process.js";
import type { Settings } from "../project/settings.js";

/** A service as the supervisor sees it. */
export interface RunnableService {
  readonly name: string;
  /** The names of the services that it calls, among those that the system runs. */
  readonly calls: readonly string[];
  /** Whether it needs a database of its own. */
  readonly database: boolean;
  /** Whether it publishes or consumes events. */
  readonly events: boolean;
}

/** Returns the services that the system runs. Throws if the contract has errors. */
export async function systemOf(settings: Settings): Promise<{ services: readonly RunnableService[] }> {
  const { contract, findings } = await read(settings);
  if (hasErrors(findings)) throw new ContractError(findings);
  return {
    services: processOwners(contract.services).map(({ name, entities, methods, consumes }) => {
      const events = consumes.length > 0 || methods.some(({ publishes }) => publishes.length > 0);
      const calls = contract.services
        .filter((service) => service.name === name)
        .flatMap((service) => service.calls.flatMap((callee) => (callee.run ? callee.name : [])))
        .filter((callee) => callee !== name);
      return { name, calls: [...new Set(calls)], database: entities.length > 0 || events, events };
    }),
  };
}

/** Thrown for a contract with errors. It has the findings. */
export class ContractError extends Error {
  constructor(readonly diagnostics: readonly Diagnostic[]) {
    super(`the contract has ${diagnostics.filter(({ severity }) => severity === "error").length} errors`);
  }
}
