import type { DescService } from "@bufbuild/protobuf";
import type { Service } from "../contract.js";
import { kebabCase, packageWords, serviceName } from "../names/names.js";

/** What a project says of services whose contracts do not say it themselves. */
export interface Naming {
  /** Short names, by the full name of a service or of its package. */
  readonly names: Readonly<Record<string, string>>;
  /** The full names of services that this system runs, as if they had (scaffold.v1.service). */
  readonly run: readonly string[];
}

export const unnamed: Naming = { names: {}, run: [] };

type Named = Service & { name: string };

/**
 * Gives services their short names: the project's, or else the package's last word, to which all but the first of several
 * versions of a package add theirs: "orders", "orders-v2". What runs goes before what is only called, then the lower version.
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
  // Several services of one package are not told apart by its version.
  if (packages.size < family.length) return;
  const [, ...others] = family.toSorted((a, b) => Number(b.run) - Number(a.run) || compareVersions(a, b));
  for (const service of others) service.name += `-${versionOf(service)}`;
}

/** A name that a service could have where it cannot have its own. */
export function otherName({ desc }: Service): string {
  const words = packageWords(desc.file.proto.package).map(kebabCase);
  const own = kebabCase(desc.name.replace(/(?<=.)Service$/, ""));
  return words.length > 1 ? words.slice(-2).join("-") : [...words, own].join("-");
}

/** Whether the project names a service. */
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

/** v1alpha1, v1beta1, v1, v1p1beta1, v2: as Google's APIs count. A package without a version comes first. */
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
