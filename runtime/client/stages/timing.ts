import { activeTiming, timingHeader, timingRequestHeader } from "../../observe/timing.js";
import type { ClientStage } from "../outgoing-call.js";

/** Has the peer measure its part, if the call that this one is made for is measured. */
export const timing: ClientStage = (next) => (call) => {
  const measured = activeTiming();
  if (measured === undefined) return next(call);
  const { onHeader } = call;
  const timed = call.with({
    onHeader(header) {
      measured.add(header.get(timingHeader));
      onHeader?.(header);
    },
  });
  timed.requestHeader.set(timingRequestHeader, "1");
  return next(timed);
};
