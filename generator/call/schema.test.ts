import { expect, it } from "vitest";
import { resolveService, splitName } from "./schema.js";

it("takes names apart", () => {
  const parts = { service: "a.v1.Service", method: "Get" };
  for (const name of ["a.v1.Service/Get", "/a.v1.Service/Get", "a.v1.Service.Get"])
    expect(splitName(name)).toEqual(parts);
  for (const name of ["", "Get", "/Get", "Service/"]) expect(() => splitName(name)).toThrow("is not a method's name");
});

it("resolves the end of a name, if it is the end of one only", () => {
  const names = ["a.v1.OneService", "a.v1.TwoService", "b.v1.TwoService"];
  expect(resolveService("a.v1.TwoService", names)).toBe("a.v1.TwoService");
  expect(resolveService("OneService", names)).toBe("a.v1.OneService");
  expect(() => resolveService("TwoService", names)).toThrow("may be a.v1.TwoService or b.v1.TwoService");
  expect(() => resolveService("OneServce", names)).toThrow("Did you mean OneService?");
  expect(() => resolveService("a.v1.OneServce", names)).toThrow("Did you mean a.v1.OneService?");
});
