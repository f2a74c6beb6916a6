import type { DescMessage } from "@bufbuild/protobuf";
import type { Context } from "../call/context.js";
import { know } from "../codec/known.js";
import type { Data } from "../data/data.js";
import type { Transaction } from "../data/transaction.js";
import type { SagaDefinition, SagaHandles } from "../saga/saga.js";
import type { ServiceSpec } from "../spec/service.js";

/** A service with its handlers: what `serve` runs. */
export interface ServiceDefinition {
  readonly spec: ServiceSpec;
  /** The handlers, by method, over what they may use. */
  implement(service: object, standard: object): object;
  /** What it does with the events that it consumes, over what it may use. */
  consume?(service: object): object;
  /** What it says of events that were published in other words, by handler and version: `orderPlacedFrom1`. Absent: none. */
  readonly upcasters?: Readonly<Record<string, (old: never) => object>>;
  /** What its author says of the sagas that its methods start, by method. */
  readonly sagas: Readonly<Record<string, SagaDefinition>>;
}

/** Everything that handlers of one service may use: its entities, the services that it calls, its transactions, its sagas. */
export type Resources<Entities, Peers, Sagas = object> = Entities &
  Peers &
  Transactions<Entities> & { readonly sagas: SagaHandles<Sagas> };

/** How handlers write. What may be published in a transaction is what the method of its context publishes. */
export interface Transactions<Entities> extends Pick<Data<Entities>, "once" | "undo"> {
  /** As `Data.transaction`; events that it publishes go on with the trace of the call that the context belongs to. */
  transaction<T, Published extends DescMessage = never>(
    context: Context<Published>,
    body: (tx: Transaction<Entities, Published>) => Promise<T>,
  ): Promise<T>;
  /** As `Data.transaction`, of no call: it publishes nothing. */
  transaction<T>(body: (tx: Transaction<Entities>) => Promise<T>): Promise<T>;
}

/** What a user writes: every method but the standard ones, and any of those to replace it. */
export type Handlers<Handler, Standard extends keyof Handler> = Omit<Handler, Standard> &
  Partial<Pick<Handler, Standard>>;

/** What the contract says of a service, as types: what it must be given, and what its handlers are given. */
export interface ServiceTypes {
  /** Its methods, as handlers. */
  readonly handler: object;
  /** The names of its standard methods. */
  readonly standard: PropertyKey;
  /** The repositories of its entities. */
  readonly entities: object;
  /** The clients of the services that it calls. */
  readonly peers: object;
  /** Its consumers of events. Absent: it consumes none. */
  readonly consumers?: object;
  /** The ends of the sagas that its methods start. Absent: none does. */
  readonly sagas?: object;
  /** What events mean that were published as an older version. Absent: there is none. */
  readonly upcasters?: object;
}

type Part<T, Name extends keyof ServiceTypes> = T extends { readonly [N in Name]: infer P } ? P : never;
type Standard<T extends ServiceTypes> = T["standard"] & keyof T["handler"];
type Used<T extends ServiceTypes> = Resources<T["entities"], T["peers"], Part<T, "sagas">>;

/** A part that must be there if it must have anything, and may be there otherwise. */
type Needed<Name extends string, Content, Value> = object extends Content
  ? { readonly [N in Name]?: Value }
  : { readonly [N in Name]: Value };

/** A part that is there if the contract makes it necessary. */
type Given<Name extends string, Content, Value> = [Content] extends [never] ? unknown : { readonly [N in Name]: Value };

/** What a service is made of. What its contract makes necessary is required, and nothing else is taken. */
export type ServiceParts<T extends ServiceTypes> = Needed<
  "handlers",
  Handlers<T["handler"], Standard<T>>,
  (service: Used<T>, standard: Pick<T["handler"], Standard<T>>) => Handlers<T["handler"], Standard<T>>
> &
  Given<"consumers", Part<T, "consumers">, (service: Used<T>) => Part<T, "consumers">> &
  Given<"sagas", Part<T, "sagas">, Part<T, "sagas">> &
  Given<"upcasters", Part<T, "upcasters">, Part<T, "upcasters">>;

/**
 * Makes the function with which a service is written:
 *
 *     export const orders = orderService({
 *       handlers: (service, standard) => ({ async placeOrder(request, context) { … } }),
 *       sagas: { placeOrder },
 *     });
 *
 * `handlers` are its methods, without the standard ones; they may be left out if there are no others. `consumers` is what it
 * does with the events that it consumes, `sagas` what the sagas do that its methods start, `upcasters` what events mean that
 * were published as an older version.
 *
 * @throws TypeError if a part is given by its position, as it was before parts had names
 */
export function defineService<T extends ServiceTypes>(spec: ServiceSpec) {
  know(spec.codecs);
  return (parts: ServiceParts<T>): ServiceDefinition => {
    if (typeof parts !== "object" || parts === null) {
      throw new TypeError(`${spec.service.name} takes its parts by name: { handlers: (service) => ({ … }) }`);
    }
    const { handlers, consumers, upcasters, sagas } = parts as AnyParts;
    return {
      spec,
      implement: handlers ?? (() => ({})),
      consume: consumers,
      upcasters: upcasters ?? {},
      sagas: sagas ?? {},
    };
  };
}

/** Any service's parts, their types forgotten. */
interface AnyParts {
  readonly handlers?: ServiceDefinition["implement"];
  readonly consumers?: ServiceDefinition["consume"];
  readonly upcasters?: ServiceDefinition["upcasters"];
  readonly sagas?: ServiceDefinition["sagas"];
}
