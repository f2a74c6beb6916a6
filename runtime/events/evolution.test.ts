import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { create, type MessageShape, toBinary } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { letterSent } from "../../generator/testdata/upcasts/expected/generated/contract_events.js";
import { LetterSent1Schema } from "../../generator/testdata/upcasts/expected/generated/contract_letter_sent_1_pb.js";
import { LetterSent2Schema } from "../../generator/testdata/upcasts/expected/generated/contract_letter_sent_2_pb.js";
import {
  type LetterSent,
  LetterSentSchema,
  Priority,
} from "../../generator/testdata/upcasts/expected/generated/contract_pb.js";
import {
  type LetterServiceUpcasters,
  letterService,
} from "../../generator/testdata/upcasts/expected/generated/contract_service.js";
import { testDatabase } from "../../generator/testing/database.js";
import { execute } from "../../generator/testing/tables.js";
import { openData } from "../data/data.js";
import { createLogger } from "../observe/log.js";
import { silentMeter } from "../observe/telemetry.js";
import { runtimeTables } from "../service/migrations.js";
import type { EventType } from "../spec/event.js";
import { corpusFaults } from "./corpus.js";
import { readEvent, schemaUri, upcastersOf } from "./evolution.js";
import { EventMetrics } from "./metrics.js";
import { openPostgres } from "./postgres.js";
import { startEvents } from "./start.js";

const services = new URL("../../generator/testdata/upcasts/services/", import.meta.url);

const upcasters: LetterServiceUpcasters = {
  letterSentFrom1: ({ grams }) => ({ weight: { milligrams: BigInt(grams) * 1000n } }),
  letterSentFrom2: ({ to }) => {
    const [street, city] = to.split(", ");
    return { to: city === undefined ? undefined : { street, city } };
  },
};

function letters(
  event: EventType<typeof LetterSentSchema> = letterSent,
  handle: (event: LetterSent) => void = () => {},
) {
  const definition = letterService({
    handlers: () => ({ sendLetter: () => Promise.resolve({}) }),
    consumers: () => ({ letterSent: async (delivery) => handle(delivery.event) }),
    upcasters,
  });
  const spec = { ...definition.spec, consumes: { letterSent: { ...definition.spec.consumes!.letterSent!, event } } };
  return { ...definition, spec } as unknown as typeof definition;
}

/** An event as a consumer reads it that was published as some version of it. */
function read(payload: Uint8Array, attributes: Readonly<Record<string, string>>, more = {}) {
  return readEvent(letterSent, attributes, payload, upcastersOf("letterSent", letterSent, { ...upcasters, ...more }));
}

const sent = "mail.letters.v1.LetterSent";
const posted = "mail.letters.v1.LetterPosted";
const version = (number: string, type = sent) => ({ type, dataschema: `proto:${type}/${number}` });
const first = toBinary(
  LetterSent1Schema,
  create(LetterSent1Schema, {
    letterId: "l1",
    grams: 20,
    to: "Main Street 1, Springfield",
    priority: 1,
    stops: [{ city: "Shelbyville", priorities: { fast: 1 } }],
  }),
);

test("an event of an old version goes through all that came after it", () => {
  const expected = {
    letterId: "l1",
    priority: Priority.HIGH,
    to: { street: "Main Street 1", city: "Springfield" },
    weight: { milligrams: 20_000n },
    stops: [{ city: "Shelbyville", priorities: { fast: Priority.HIGH } }],
  };
  expect(read(first, version("1.1"))).toEqual(create(LetterSentSchema, expected));
  expect(read(first, version("1.0", posted))).toEqual(create(LetterSentSchema, expected));
  const second = toBinary(
    LetterSent2Schema,
    create(LetterSent2Schema, { letterId: "l1", weight: { milligrams: 5n }, to: "nowhere" }),
  );
  expect(read(second, version("2.0"))).toEqual(
    create(LetterSentSchema, { letterId: "l1", weight: { milligrams: 5n } }),
  );
});

test("what says no version has the first, and a newer second number changes nothing", () => {
  expect(read(first, { type: posted })).toEqual(read(first, version("1.1")));
  const now = create(LetterSentSchema, { letterId: "l2", weight: { milligrams: 1n } });
  const newer = Uint8Array.of(...letterSent.codec.toBytes(now), 0xfa, 0x3f, 1, 7);
  expect(schemaUri(letterSent)).toBe(version("3.0").dataschema);
  expect(read(newer, version("3.0"))).toMatchObject({ letterId: "l2" });
  expect(read(newer, version("3.12"))).toEqual(read(newer, version("3.0")));
});

test.each([
  ["a newer first number", first, version("4.0"), "it is version 4.0 of .*LetterSent, and 3.0 is known here"],
  ["another schema", first, { type: sent, dataschema: "https://example.com/x.json" }, "its dataschema is https://exam"],
  ["a version of another type", first, { type: sent, dataschema: `proto:${posted}/1.0` }, "which is no version of"],
  ["another type", first, { type: "mail.v9.Other" }, "its type is mail.v9.Other, and .*LetterSent was expected"],
  ["no type", first, {}, "its type is not said"],
  ["bytes that are none", Uint8Array.of(255, 255), version("1.0"), "its bytes are no mail.letters.v1.LetterSent: "],
])("%s is unprocessable, with its reason", (_, payload, attributes: Record<string, string>, reason) => {
  expect(() => read(payload, attributes)).toThrow(
    expect.objectContaining({ name: "Unprocessable", message: expect.stringMatching(reason) }),
  );
});

test("an event that nobody can tell the meaning of is unprocessable", () => {
  const letterSentFrom1 = () => {
    throw new Error("no such scale");
  };
  expect(() => read(first, version("1.1"), { letterSentFrom1 })).toThrow(
    expect.objectContaining({
      name: "Unprocessable",
      message: "what it says as version 1 could not be told: no such scale",
    }),
  );
});

test("a consumer without what it needs does not start", () => {
  expect(() => upcastersOf("letterSent", letterSent, {})).toThrow("there is no letterSentFrom1");
});

test("a consumer's handler sees an old event as one of today, and never one that it cannot read", async () => {
  const [url, brokerUrl] = await Promise.all([testDatabase(), testDatabase()]);
  await execute(url, runtimeTables);
  const broker = openPostgres(brokerUrl, { service: "letters" });
  const topic = { name: letterSent.topic, partitions: 1, retentionMs: 60_000, groups: ["letters"] };
  await broker.declare([topic]);
  const data = openData({ url, service: "letters", entities: {} });
  const handled: LetterSent[] = [];
  const { spec, consume, upcasters } = letters(letterSent, (event) => handled.push(event));
  const events = startEvents(
    { spec, handlers: consume?.({}) ?? {}, upcasters },
    {
      data,
      broker,
      log: createLogger({ name: "letters", level: "silent" }),
      metrics: new EventMetrics(silentMeter),
    },
  );
  const publish = (id: string, attributes: object) =>
    broker.publish([{ topic: topic.name, key: "l1", attributes: { id, source: "s", ...attributes }, payload: first }]);
  await publish("newer", version("4.0"));
  await publish("old", version("1.1"));
  await expect.poll(() => handled, { timeout: 30_000, interval: 20 }).toEqual([read(first, version("1.1"))]);
  const { rows } = await execute(url, `SELECT "attributes"->>'id' AS "id", "reason" FROM "scaffold_dead_letters"`);
  expect(rows).toEqual([{ id: "newer", reason: expect.stringContaining("Unprocessable: it is version 4.0 of") }]);
  await events.stopConsuming();
  await events.close();
  await data.close();
});

test("a corpus is read as it was written", async () => {
  expect(await corpusFaults(letters(), services)).toEqual([]);
});

test("what is read as something else is found, and where nothing is recorded, too", async () => {
  const forgetful = { ...letterSent.codec, decode: (bytes: Uint8Array) => without(letterSent.codec.decode(bytes)) };
  const faults = await corpusFaults(letters({ ...letterSent, codec: forgetful }), services);
  expect(faults).toContain(`mail.letters.letter-sent 1.1, sample "full 2": priority is read as something else`);
  expect(faults.filter((fault) => !fault.includes("priority"))).toEqual([]);
  expect(await corpusFaults(letters(), new URL("../", import.meta.url))).toEqual([
    expect.stringContaining("mail.letters.letter-sent: no version of it is recorded in"),
  ]);
});

test("samples show every field that there is", async () => {
  const path = new URL("letters/events/mail.letters.letter-sent/3.0.json", services);
  const { samples } = JSON.parse(await readFile(fileURLToPath(path), "utf8")) as { samples: Record<string, string> };
  const full = letterSent.codec.decode(Buffer.from(samples["full 2"]!, "base64"));
  expect(Object.keys(full).sort()).toEqual(
    ["$typeName", ...LetterSentSchema.fields.map(({ localName }) => localName)].sort(),
  );
  expect(full).toMatchObject({ priority: Priority.HIGH, stops: [{ priorities: expect.anything() }, {}] });
});

function without(message: MessageShape<typeof LetterSentSchema>): MessageShape<typeof LetterSentSchema> {
  return { ...message, priority: Priority.UNSPECIFIED };
}
