import type { Message } from "@bufbuild/protobuf";
import type { ServerStage } from "../../call/incoming-call.js";
import { type ClearOutputOnly, clearsOutputOnly } from "../../call/output-only.js";
import type { ServedMethod } from "../served-method.js";

/** Clears the fields of requests that only the service sets (AIP-203): two requests that differ in them alone are one. */
export function outputOnly({ method, takesMany }: ServedMethod): ServerStage | undefined {
  const clear = clearsOutputOnly(method.input);
  if (clear === undefined) return undefined;
  return (next) => (call) => {
    if (takesMany) call.request = eachCleared(call.request as AsyncIterable<Message>, clear);
    else clear(call.request as Message);
    return next(call);
  };
}

async function* eachCleared(requests: AsyncIterable<Message>, clear: ClearOutputOnly): AsyncIterable<Message> {
  for await (const request of requests) {
    clear(request);
    yield request;
  }
}
