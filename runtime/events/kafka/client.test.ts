import { expect, test, vi } from "vitest";
import { openKafka } from "../kafka.js";

vi.mock("@platformatic/kafka", () => {
  throw new Error("Cannot find package '@platformatic/kafka'");
});

test("without its library it says what to install when it is needed", async () => {
  const broker = openKafka("kafka://127.0.0.1:1", { service: "test" });
  await expect(broker.publish([])).rejects.toThrow("npm install @platformatic/kafka@1.35");
  await expect(broker.declare([])).rejects.toThrow("npm install @platformatic/kafka@1.35");
  await broker.close();
});
