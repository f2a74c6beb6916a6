import { LoadBalancer } from "../load-balancer.js";
import { takeLock } from "../lock.js";
import { watchParent } from "../parent.js";

/**
 * A program for tests: what a supervisor does with connections and with /proc. Arguments: its port, and its backend's. Prints
 * one line per message on standard output.
 */
const [port = 0, backend = 0] = process.argv.slice(2).map(Number);
const say = (what: string) => process.stdout.write(`${what}\n`);
const balancer = new LoadBalancer([{ port: backend, healthy: () => true }], {
  limits: { opening: 2_000 },
  report: (message) => say(`report: ${message}`),
});
await balancer.listen(port);
await watchParent(() => say("npm is gone"));
process.on("SIGUSR2", async () => {
  const holder = await takeLock(process.env.LOCK!).catch((error: Error) => error.message);
  say(`lock: ${JSON.stringify(holder)}`);
});
say("listening");
