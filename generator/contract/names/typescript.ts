import type { AnyDesc, DescFile, DescMessage } from "@bufbuild/protobuf";
import { nestedTypes } from "@bufbuild/protobuf/reflect";
import type { Findings } from "../findings/findings.js";

// Words that protoc-gen-es 2 prints unchanged, and no module can declare. Other such words, such as "class", get a "$" there.
const types = words("any as await infer keyof never readonly symbol undefined unique unknown");
const values = words("arguments await eval");

type Member = AnyDesc & { readonly name: string; readonly localName: string };

/** Rejects files and names that are invalid in TypeScript, and those that would collide. */
export function checkTypeScript(files: readonly DescFile[], findings: Findings): void {
  checkPaths(files, findings);
  for (const desc of files.flatMap((file) => [...nestedTypes(file)])) {
    const isType = desc.kind === "message" || desc.kind === "enum";
    // A nested type is prefixed with its parent's name: "Outer_any".
    const isNested = desc.kind !== "service" && desc.parent !== undefined;
    if (!isNested && (isType ? types : values).has(desc.name)) {
      const message = `${desc.name} is TypeScript's own word, which no module can declare: give ${desc} another name.`;
      findings.error("NAME_RESERVED", desc, message);
    }
    if (desc.kind === "message") checkMembers(desc, [desc.fields, besideOneofs(desc)], findings);
    if (desc.kind === "enum") checkMembers(desc, [desc.values], findings);
    if (desc.kind === "service") checkMembers(desc, [desc.methods], findings);
  }
}

/** In TypeScript a message has its oneofs as properties, and not the fields in them. */
function besideOneofs({ fields, oneofs }: DescMessage): Member[] {
  return [...fields.filter((field) => field.oneof === undefined), ...oneofs];
}

/** @param scopes declarations of one TypeScript scope each */
function checkMembers(parent: AnyDesc, scopes: readonly (readonly Member[])[], findings: Findings): void {
  const shared = new Map<Member, Member>();
  for (const members of scopes) {
    const taken = new Map<string, Member>();
    for (const member of members) {
      const other = taken.get(member.localName);
      if (other !== undefined) shared.set(member, other);
      taken.set(member.localName, member);
    }
  }
  for (const [member, other] of shared) {
    const message = `${other.name} and ${member.name} of ${parent} would both be ${member.localName} in TypeScript: rename one.`;
    findings.error("NAME_TAKEN", member, message);
  }
  for (const member of new Set(scopes.flat())) {
    // An object literal does not define a property called __proto__.
    if (/^[A-Za-z_$][\w$]*$/.test(member.localName) && member.localName !== "__proto__") continue;
    const message = `${member.name} would be "${member.localName}" in TypeScript, which is not a valid name there: choose another.`;
    findings.error("NAME_RESERVED", member, message);
  }
}

/** Generated files are named after their contracts, and some file systems ignore case. */
function checkPaths(files: readonly DescFile[], findings: Findings): void {
  const taken = new Map<string, DescFile>();
  for (const file of files) {
    const other = taken.get(file.name.toLowerCase());
    if (other !== undefined) {
      const names = `${other.name}.proto and ${file.name}.proto`;
      const message = `${names} differ in upper and lower case only, and so would what is generated from them: rename one.`;
      findings.error("NAME_TAKEN", file, message);
    }
    taken.set(file.name.toLowerCase(), file);
  }
}

function words(text: string): ReadonlySet<string> {
  return new Set(text.split(" "));
}
