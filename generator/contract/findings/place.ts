import type { AnyDesc, DescEnum, DescFile, DescMessage } from "@bufbuild/protobuf";
import type { SourceCodeInfo_Location } from "@bufbuild/protobuf/wkt";
import type { Place } from "./diagnostic.js";

/** The field numbers of `options` in descriptor.proto, by kind of declaration. */
const optionsField = {
  message: 7,
  field: 8,
  enum: 3,
  enum_value: 3,
  service: 3,
  rpc: 4,
  oneof: 2,
  extension: 8,
  file: 8,
};

/**
 * Returns the place of a declaration, or of one of its options. Falls back to the nearest enclosing element that has a place.
 *
 * @param option field numbers inside the declaration's options, from the extension's own number on
 */
export function placeOf(desc: AnyDesc, option: readonly number[] = []): Place {
  const file = fileOf(desc);
  const path = option.length === 0 ? pathOf(desc) : [...pathOf(desc), optionsField[desc.kind], ...option];
  const locations = locationsOf(file);
  for (let length = path.length; length >= 0; length--) {
    const location = locations.get(path.slice(0, length).join("."));
    if (location !== undefined) {
      return { file: `${file.name}.proto`, line: (location.span[0] ?? 0) + 1, column: (location.span[1] ?? 0) + 1 };
    }
  }
  return { file: `${file.name}.proto`, line: 1, column: 1 };
}

/** Returns the comment before a declaration, as its author wrote it, or an empty text. */
export function commentOf(desc: AnyDesc): string {
  const comment = locationsOf(fileOf(desc)).get(pathOf(desc).join("."))?.leadingComments ?? "";
  return comment
    .split("\n")
    .map((line) => line.replace(/^ /, "").trimEnd())
    .join("\n")
    .trim();
}

function fileOf(desc: AnyDesc): DescFile {
  return desc.kind === "file"
    ? desc
    : desc.kind === "rpc" || desc.kind === "field" || desc.kind === "oneof" || desc.kind === "enum_value"
      ? desc.parent.file
      : desc.file;
}

/** Returns the path of a declaration in its file, as in descriptor.proto's SourceCodeInfo. */
function pathOf(desc: AnyDesc): number[] {
  switch (desc.kind) {
    case "file":
      return [];
    case "message":
      return nested(
        desc,
        4,
        3,
        (proto) => proto.messageType,
        (proto) => proto.nestedType,
      );
    case "enum":
      return nested(
        desc,
        5,
        4,
        (proto) => proto.enumType,
        (proto) => proto.enumType,
      );
    case "enum_value":
      return [...pathOf(desc.parent), 2, desc.parent.proto.value.indexOf(desc.proto)];
    case "field":
      return [...pathOf(desc.parent), 2, desc.parent.proto.field.indexOf(desc.proto)];
    case "oneof":
      return [...pathOf(desc.parent), 8, desc.parent.proto.oneofDecl.indexOf(desc.proto)];
    case "extension":
      return desc.parent === undefined
        ? [7, desc.file.proto.extension.indexOf(desc.proto)]
        : [...pathOf(desc.parent), 6, desc.parent.proto.extension.indexOf(desc.proto)];
    case "service":
      return [6, desc.file.proto.service.indexOf(desc.proto)];
    case "rpc":
      return [...pathOf(desc.parent), 2, desc.parent.proto.method.indexOf(desc.proto)];
  }
}

function nested<D extends DescMessage | DescEnum>(
  desc: D,
  inFile: number,
  inMessage: number,
  ofFile: (proto: DescFile["proto"]) => readonly D["proto"][],
  ofMessage: (proto: DescMessage["proto"]) => readonly D["proto"][],
): number[] {
  return desc.parent === undefined
    ? [inFile, ofFile(desc.file.proto).indexOf(desc.proto)]
    : [...pathOf(desc.parent), inMessage, ofMessage(desc.parent.proto).indexOf(desc.proto)];
}

const indexed = new WeakMap<DescFile, Map<string, SourceCodeInfo_Location>>();

function locationsOf(file: DescFile): Map<string, SourceCodeInfo_Location> {
  let locations = indexed.get(file);
  if (locations === undefined) {
    locations = new Map();
    for (const location of file.proto.sourceCodeInfo?.location ?? []) {
      const path = location.path.join(".");
      // The first location of a path is the declaration. Later ones are parts of a split declaration.
      if (!locations.has(path)) locations.set(path, location);
    }
    indexed.set(file, locations);
  }
  return locations;
}
