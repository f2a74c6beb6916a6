type Callback = () => void;

const callbacks = new WeakMap<AbortSignal, Waiting>();

/**
 * Calls back once when a signal is aborted that is not yet. Returns a function that forgets it. However many wait for one signal, as
 * all streams of a process wait for its end, it has one listener: a signal looks through all of its listeners for each
 * that comes and goes, and Node.js warns of a leak from the eleventh on.
 */
export function onAbort(signal: AbortSignal, callback: Callback): () => void {
  const waiting = callbacks.get(signal) ?? listen(signal);
  waiting.add(callback);
  return () => {
    if (waiting.delete(callback) && waiting.size === 0) waiting.forget();
  };
}

class Waiting extends Set<Callback> {
  forget: Callback = () => undefined;
}

function listen(signal: AbortSignal): Waiting {
  const waiting = new Waiting();
  const abort = () => {
    waiting.forget();
    for (const callback of waiting) {
      waiting.delete(callback);
      callback();
    }
  };
  waiting.forget = () => {
    callbacks.delete(signal);
    signal.removeEventListener("abort", abort);
  };
  callbacks.set(signal, waiting);
  signal.addEventListener("abort", abort);
  return waiting;
}
