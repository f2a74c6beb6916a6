import type { DescMessage } from "@bufbuild/protobuf";
import type { ServerStage } from "../../call/incoming-call.js";
import { validateMessage } from "../../call/validate.js";
import type { ServedMethod } from "../served-method.js";

/** Refuses requests that break the rules of their contract; of a stream of requests, each as it comes. */
export function validate({ method: { input }, takesMany }: ServedMethod): ServerStage {
  return (next) => (call) => {
    if (takesMany) call.request = eachValid(input, call.request as AsyncIterable<unknown>);
    else validateMessage(input, call.request);
    return next(call);
  };
}

async function* eachValid(schema: DescMessage, requests: AsyncIterable<unknown>): AsyncIterable<unknown> {
  for await (const request of requests) {
    validateMessage(schema, request);
    yield request;
  }
}
