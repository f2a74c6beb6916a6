import type { DescMethod } from "@bufbuild/protobuf";
import { type Propagation, standardPropagation } from "../call/propagation.js";
import type { MethodPolicy } from "../spec/policy.js";

/** A method that a service answers, as stages are made for it. */
export interface ServedMethod {
  readonly method: DescMethod;
  readonly policy: MethodPolicy;
  /** Whether the caller sends many requests, and whether it gets many responses. */
  readonly takesMany: boolean;
  readonly answersMany: boolean;
  /** The short name of its service: "orders". */
  readonly service: string;
  /** Which headers go on from its calls. */
  readonly propagation: Propagation;
}

export function servedMethod(
  method: DescMethod,
  policy: MethodPolicy,
  service: string,
  propagation: Propagation = standardPropagation,
): ServedMethod {
  const { methodKind } = method;
  const takesMany = methodKind === "client_streaming" || methodKind === "bidi_streaming";
  const answersMany = methodKind === "server_streaming" || methodKind === "bidi_streaming";
  return { method, policy, service, takesMany, answersMany, propagation };
}
