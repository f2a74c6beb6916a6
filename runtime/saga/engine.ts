import type { Message } from "@bufbuild/protobuf";
import { own } from "../codec/message.js";
import type { Data } from "../data/data.js";
import type { Logger } from "../observe/log.js";
import type { SagaSpec } from "../spec/saga.js";
import { SagaEndings } from "./endings.js";
import { SagaExecutor } from "./executor.js";
import { createHandle } from "./handles.js";
import type { SagaMetrics } from "./metrics.js";
import type { SagaPlan } from "./plan.js";
import { SagaPoller } from "./poller.js";
import { SagaRetention } from "./retention.js";
import type { SagaDefinition, SagaHandle } from "./saga.js";

export interface SagaOptions {
  /** The database of sagas, in which they also end. */
  readonly data: Data;
  /** Clients of the called services, by the names that handlers use. */
  readonly peers: Readonly<Record<string, unknown>>;
  readonly log: Logger;
  readonly metrics: SagaMetrics;
  /** How long after a process has died another one goes on with its sagas, in milliseconds. Default: 3000. */
  readonly leaseMs?: number;
  /** How long sagas are kept once they have ended, in milliseconds. Default: as the contract says of each. */
  readonly retentionMs?: number | undefined;
}

/** Runs the sagas of one service: those that this process starts, and those that another process has left behind. */
export interface Sagas {
  /** What handlers use, by method. */
  readonly handles: Readonly<Record<string, SagaHandle<Message>>>;
  /** Begins to execute sagas that are due. */
  start(): void;
  /** Begins no more steps, gives all leases back, and abandons calls under way after so many milliseconds. */
  close(graceMs?: number): Promise<void>;
}

const LEASE_MS = 3000;

/**
 * Returns what runs a service's sagas.
 *
 * @param specs what the contract says, by method
 * @param definitions what their author defines, by the same names
 */
export function openSagas(
  specs: Readonly<Record<string, SagaSpec>>,
  definitions: Readonly<Record<string, SagaDefinition>>,
  { data, peers, log, metrics, leaseMs = LEASE_MS, retentionMs }: SagaOptions,
): Sagas {
  const { db } = data;
  const methods = Object.entries(specs).map(([method, spec]): [string, SagaPlan] => {
    const definition = own(definitions, method);
    if (definition === undefined) throw new Error(`the saga of ${spec.method.name} is not defined: write it`);
    return [method, { name: `${spec.method.parent.typeName}/${spec.method.name}`, spec, definition }];
  });
  const plans = new Map(methods.map(([, plan]) => [plan.name, plan]));
  const endings = new SagaEndings(db);
  const due = (inMs: number) => poller.wake(inMs);
  const ended = (id: string) => endings.announce(id);
  const executor = new SagaExecutor({ plans, data, peers, leaseMs, log, metrics, due, ended });
  const poller = new SagaPoller({ db, names: [...plans.keys()], leaseMs, executor, log, metrics });
  const kept = new Map(methods.map(([, { name, spec }]) => [name, retentionMs ?? spec.retentionMs]));
  const retention = new SagaRetention({ db, retentionMs: kept, log, metrics });
  const dependencies = { db, executor, poller, endings, leaseMs, metrics };

  return {
    handles: Object.fromEntries(methods.map(([method, plan]) => [method, createHandle(plan, dependencies)])),
    start() {
      executor.open();
      poller.start();
      retention.start();
    },
    async close(graceMs = 0) {
      executor.stop(graceMs);
      // The executor gives back at once what the poller still claims.
      await Promise.all([retention.close(), poller.close().then(() => executor.close())]);
    },
  };
}
