import type { DescService } from "@bufbuild/protobuf";
import type { Service } from "../contract.js";
import { kebabCase, packageWords, serviceName } from "../names/names.js";

/** The settings in package.json about services. */
export interface Naming {
  /** Short names, by the full name of a service or of its package. */
  readonly names: Readonly<Record<string, string>>;
  /** The full names of services that this system runs although they lack (scaffold.v1.service). */
  readonly run: readonly string[];
}

export const unnamed: Naming = { names: {}, run: [] };

type Named = Service & { name: string };

/**
 * Returns the short names of services: the project's, or else the last word of the package. All versions of a package but the first
 * add theirs: "orders", "orders-v2". Services that run come before those that are only called, then lower versions come first.
 */
export function nameServices(services: readonly Named[], { names }: Naming): void {
  const families = new Map<string, Named[]>();
  for (const service of services) {
    const name = given(service.desc, names);
    service.name = name ?? serviceName(service.desc);
    if (name !== undefined) continue;
    const family = packageWords(packageOf(service)).join(".");
    families.set(family, [...(families.get(family) ?? []), service]);
  }
  for (const family of families.values()) nameVersions(family);
}

function nameVersions(family: readonly Named[]): void {
  const packages = new Set(family.map(packageOf));
  // A version does not distinguish several services of one package.
  if (packages.size < family.length) return;
  const [, ...others] = family.toSorted((a, b) => Number(b.run) - Number(a.run) || compareVersions(a, b));
  for (const service of others) service.name += `-${versionOf(service)}`;
}

/** Returns a name for a service that cannot have its own. */
export function otherName({ desc }: Service): string {
  const words = packageWords(desc.file.proto.package).map(kebabCase);
  const own = kebabCase(desc.name.replace(/(?<=.)Service$/, ""));
  return words.length > 1 ? words.slice(-2).join("-") : [...words, own].join("-");
}

/** Returns whether the project names a service. */
export function isGiven(desc: DescService, { names }: Naming): boolean {
  return given(desc, names) !== undefined;
}

function given({ typeName, file }: DescService, names: Naming["names"]): string | undefined {
  const key = [typeName, file.proto.package].find((name) => Object.hasOwn(names, name));
  return key === undefined ? undefined : names[key];
}

function packageOf({ desc }: Service): string {
  return desc.file.proto.package;
}

function versionOf(service: Service): string {
  return packageOf(service).split(".").at(-1)!;
}

/**
 * Compares versions in the order of Google's APIs: v1alpha1, v1beta1, v1, v1p1beta1, v2. A package without a version comes
 * first.
 */
function compareVersions(a: Service, b: Service): number {
  const [one, other] = [versionNumbers(versionOf(a)), versionNumbers(versionOf(b))];
  const at = one.findIndex((number, i) => number !== other[i]);
  return at === -1 ? 0 : one[at]! - other[at]!;
}

function versionNumbers(version: string): number[] {
  const [, major = "-1", point = "0", stage, number = "0"] =
    /^v(\d+)(?:p(\d+))?(?:(alpha|beta)(\d*))?$/.exec(version) ?? [];
  return [Number(major), Number(point), stage === undefined ? 2 : stage === "beta" ? 1 : 0, Number(number)];
}
