import { expect, test } from "vitest";
import type { OwnedEntity } from "../spec/service.js";
import { parcels, plainParcels } from "../testing/parcels.js";
import { canServe } from "./readiness.js";

const plain = plainParcels.spec;
const { policy } = parcels.spec;
const cached = (staleIfErrorMs: number) => {
  const [name, { entity }] = Object.entries(plain.entities)[0] as [string, OwnedEntity];
  return {
    ...plain,
    entities: { [name]: { entity, cache: { ttlMs: 1000, staleIfErrorMs, copy: (row: never) => row } } },
  };
};
const away = { primary: false, replicas: false };

test("without its primary, a service serves what is deferred, stale, or read from replicas", () => {
  expect(canServe(plain, { primary: true, replicas: false }, false)).toBe(true);
  expect(canServe(plain, away, true)).toBe(false);
  expect(canServe(plain, { primary: false, replicas: true }, true)).toBe(false);
  expect(canServe({ ...plain, policy }, away, true)).toBe(true);
  expect(canServe({ ...plain, policy }, away, false)).toBe(false);
  expect(canServe({ ...plain, policy }, { primary: false, replicas: true }, false)).toBe(true);
  expect(canServe(cached(0), away, false)).toBe(false);
  expect(canServe(cached(60_000), away, false)).toBe(true);
});
