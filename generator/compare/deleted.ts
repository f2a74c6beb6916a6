import type { AnyDesc, DescFile } from "@bufbuild/protobuf";
import { nestedTypes } from "@bufbuild/protobuf/reflect";
import type { Contract } from "../contract/contract.js";
import type { Diagnostic, Place } from "../contract/findings/diagnostic.js";
import { placeOf } from "../contract/findings/place.js";

/** What buf says of a deleted declaration. Members are named by their parent, fields and enum values by number. */
const deletion =
  /^Previously present ([A-Za-z ]+) "([^"]+)"(?: with name "[^"]+")?(?: on (?:message|enum|service) "([^"]+)")? was deleted/;

/**
 * Returns the place in the old contract of the declaration that a finding of buf calls deleted, as the old image names files.
 * buf itself names only the place of what is left. Returns undefined for other findings, and if two declarations have the name.
 */
export function placeOfDeleted({ file, message }: Diagnostic, { files }: Pick<Contract, "files">): Place | undefined {
  const [, kind, name, parent] = deletion.exec(message) ?? [];
  if (kind === undefined || name === undefined) return undefined;
  const found = files
    .flatMap(({ desc }) => [...declarations(desc)])
    .filter((desc) => isNamed(desc, kind, name, parent))
    .map((desc) => placeOf(desc));
  // The name of a message lacks its package, so the file decides between those of two packages.
  const beside = found.filter((place) => file === place.file || file.endsWith(`/${place.file}`));
  const [place, ...others] = beside.length > 0 ? beside : found;
  return others.length === 0 ? place : undefined;
}

function* declarations(file: DescFile): Iterable<AnyDesc> {
  yield file;
  for (const type of nestedTypes(file)) {
    yield type;
    if (type.kind === "message") yield* [...type.fields, ...type.oneofs];
    if (type.kind === "enum") yield* type.values;
    if (type.kind === "service") yield* type.methods;
  }
}

function isNamed(desc: AnyDesc, kind: string, name: string, parent: string | undefined): boolean {
  switch (desc.kind) {
    case "file":
      return kind === "file" && `${desc.name}.proto` === name;
    case "field":
    case "enum_value":
      return kind === desc.kind.replace("_", " ") && String(desc.number) === name && desc.parent.name === parent;
    case "oneof":
      return kind === "oneof" && desc.name === name && desc.parent.name === parent;
    case "rpc":
      return kind === "RPC" && desc.name === name && desc.parent.name === parent;
    default:
      return kind === desc.kind && (desc.typeName === name || desc.typeName.endsWith(`.${name}`));
  }
}
