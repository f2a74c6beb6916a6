import { create, equals, isFieldSet } from "@bufbuild/protobuf";
import fc from "fast-check";
import { expect, test } from "vitest";
import { Thing_Color, ThingSchema } from "../testdata/presence/expected/generated/contract_pb.js";
import { thingEntity } from "../testdata/presence/expected/generated/contract_repository.js";
import { things } from "../testdata/presence/expected/generated/contract_schema.js";
import { arbitraryMessage } from "../testing/arbitrary.js";

test("a row keeps what was set, and what was not", () => {
  fc.assert(
    fc.property(arbitraryMessage(ThingSchema), (thing) => {
      const back = thingEntity.fromRow(thingEntity.toRow(thing));
      // What must be set has the default when it was not.
      const filled = create(ThingSchema, { ...thing, id: thing.id, data: thing.data, needed: thing.needed });
      expect(equals(ThingSchema, back, filled)).toBe(true);
    }),
  );
});

test("an unset field with a default of its own is NULL, not that default", () => {
  const thing = create(ThingSchema, { id: "one" });
  expect(thing.named).toBe("unnamed");
  expect(thingEntity.toRow(thing)).toMatchObject({ id: "one", named: null, text: null, color: null, plain: "" });
  expect(isFieldSet(thingEntity.fromRow(thingEntity.toRow(thing)), ThingSchema.field.named)).toBe(false);
});

test("the default of a closed enum that must be set is its first value", () => {
  expect(things.needed.default).toBe(Thing_Color.RED);
});
