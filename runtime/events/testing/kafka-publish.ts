/** Publishes one event to a topic, as a process of its own with an environment of its own, and prints what came of it. */
import { openKafka } from "../kafka.js";

const broker = openKafka(process.env.BROKER_URL ?? "", { service: "test" });
const record = { topic: process.argv[2] ?? "", key: "", attributes: { id: "1" }, payload: new Uint8Array() };
console.log(await broker.publish([record]).then(() => "published", String));
await broker.close();
