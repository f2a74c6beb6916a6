import type { DescMethod } from "@bufbuild/protobuf";
import type { MethodPolicy } from "../spec/policy.js";
import { attempt, type Carrier } from "./attempt.js";
import type { ClientStage, Send } from "./outgoing-call.js";
import { deadline } from "./stages/deadline.js";
import { resend } from "./stages/resend.js";
import { timing } from "./stages/timing.js";

/** What the chain of a client's method is made of. */
export interface ClientChainOptions {
  readonly policy: MethodPolicy;
  readonly interceptors: readonly ClientStage[];
  readonly carrier: Carrier;
}

/** Returns the way of every call of a method. It is composed here, once: a call goes through it without a list of stages. */
export function clientChain(method: DescMethod, { policy, interceptors, carrier }: ClientChainOptions): Send {
  const stages: readonly ClientStage[] = [
    deadline(method, policy.timeoutMs),
    ...interceptors,
    ...(interceptors.length > 0 ? [inTime] : []),
    timing,
    resend(method),
  ];
  return stages.reduceRight((next, stage) => stage(next), attempt(method, carrier));
}

/** Interceptors may have taken a while: what they took is no longer left. */
const inTime: ClientStage = (next) => (call) => {
  call.proceed();
  return next(call);
};
