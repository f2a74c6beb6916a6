import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { FileDescriptorSet } from "@bufbuild/protobuf/wkt";
import { buildContract } from "../contract/build.js";
import type { Contract } from "../contract/contract.js";
import type { Diagnostic } from "../contract/findings/diagnostic.js";
import { applyIgnores } from "../contract/findings/ignore.js";
import { ignoreWord } from "../contract/findings/ignore-comments.js";
import { isOwn } from "../contract/vendored.js";
import { buildImage, type Image } from "../image/compile.js";
import { descriptors } from "../image/descriptors.js";
import { absent } from "../output/path.js";
import type { Settings } from "../project/settings.js";
import type { Rule } from "../rules/catalogue.js";
import { didYouMean } from "../text/closest.js";

/** A contract with its findings. */
export interface Read {
  readonly image: Image;
  /** Its descriptors, without the comments that suppress findings. */
  readonly files: FileDescriptorSet;
  readonly contract: Contract;
  /** Their places are in the project. Findings that comments suppress are left out. */
  readonly findings: readonly Diagnostic[];
}

/** Compiles the project's protos, if no image is given, and builds their contract. Throws a CompileError if they do not compile. */
export async function read(settings: Settings, compiled?: Image): Promise<Read> {
  const image = compiled ?? (await buildImage(settings));
  const files = descriptors(image);
  const texts = await textsWithIgnores(settings.root, image, files);
  const { contract, findings } = buildContract(files, settings);
  const located = new Map([...texts].map(([name, text]) => [image.locate(name), text]));
  return {
    image,
    files,
    contract,
    findings: [...(await unknownServices(settings, files)), ...applyIgnores(locate(findings, image), located)],
  };
}

/** Returns findings about services in package.json that the contract does not have. */
async function unknownServices({ root, names, run }: Settings, { file }: FileDescriptorSet): Promise<Diagnostic[]> {
  const services = file.flatMap(({ package: name, service }) => service.map((each) => `${name}.${each.name}`));
  const packages = file.filter(({ service }) => service.length > 0).map((each) => each.package);
  const faults = [
    ...run.filter((name) => !services.includes(name)).map((name) => ({ name, known: services })),
    ...Object.keys(names).flatMap((name) => {
      const known = [...services, ...packages];
      return known.includes(name) ? [] : [{ name, known }];
    }),
  ];
  if (faults.length === 0) return [];
  const lines = (await readFile(join(root, "package.json"), "utf8")).split("\n");
  return faults.map(({ name, known }) => ({
    file: "package.json",
    line: lines.findIndex((line) => line.includes(JSON.stringify(name))) + 1 || 1,
    column: 1,
    rule: "OPTION_NAME_UNKNOWN" satisfies Rule,
    message: `No service is called ${name}: write its full name, from the package on.${didYouMean(name, known)}`,
    severity: "error",
  }));
}

/** Converts places in the image's files to places in the project. */
export function locate(findings: readonly Diagnostic[], image: Image): Diagnostic[] {
  return findings.map((finding) => ({ ...finding, file: image.locate(finding.file) }));
}

export function hasErrors(findings: readonly Diagnostic[]): boolean {
  return findings.some(({ severity }) => severity === "error");
}

/** Returns the texts of the files with suppressing comments, by path in the image: an image does not have all comments. */
async function textsWithIgnores(root: string, image: Image, files: FileDescriptorSet): Promise<Map<string, string>> {
  const names = files.file.map(({ name }) => name).filter(isOwn);
  const texts = await Promise.all(names.map((name) => readFile(join(root, image.locate(name)), "utf8").catch(absent)));
  return new Map(
    names.flatMap((name, index) => {
      const text = texts[index];
      return text?.includes(ignoreWord) ? [[name, text] as const] : [];
    }),
  );
}
