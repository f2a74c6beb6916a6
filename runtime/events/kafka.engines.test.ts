import { openKafka } from "./kafka.js";
import { describeBroker } from "./testing/broker-suite.js";
import { kafkaEngine } from "./testing/kafka-engine.js";

describeBroker("Apache Kafka", async () => {
  const engine = await kafkaEngine();
  return {
    open: async () => openKafka(engine.url, { service: "test" }),
    kill: engine.kill,
    restart: engine.start,
    close: engine.remove,
  };
});
