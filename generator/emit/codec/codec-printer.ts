import type { DescField, DescMessage } from "@bufbuild/protobuf";
import type { GeneratedFile, Printable } from "@bufbuild/protoplugin";
import { type CodecExports, codecExports } from "../../contract/names/exports.js";
import { codecHome } from "../../contract/vendored.js";
import { fromGenerated, fromRuntime } from "../print.js";

/** Prints a `_codec` file. Imports each symbol once. */
export class CodecPrinter {
  readonly f: GeneratedFile;
  readonly #path: string;
  readonly #imports = new Map<string, Printable>();

  constructor(f: GeneratedFile, path: string) {
    this.f = f;
    this.#path = path;
  }

  /** A function of the runtime library's codecs. */
  value(name: string): Printable {
    return this.#once(name, () => fromRuntime(this.f, name, "codec"));
  }

  /** A type of the runtime library's codecs. */
  type(name: string): Printable {
    return this.#once(`type ${name}`, () => fromRuntime(this.f, name, "codec", true));
  }

  /** Imports a function of a message's codec from its file. */
  of(message: DescMessage, part: keyof CodecExports): Printable {
    const name = codecExports(message)[part];
    const { name: path } = message.file;
    if (path === this.#path) return name;
    return this.#once(`of ${path} ${name}`, () =>
      codecHome(path) === "runtime" ? fromRuntime(this.f, name, "codec") : fromGenerated(this.f, name, path, "_codec"),
    );
  }

  #once(key: string, make: () => Printable): Printable {
    const found = this.#imports.get(key) ?? make();
    this.#imports.set(key, found);
    return found;
  }
}

/** Returns how a field holds a message: unwrapped, as JSON, or as a message with or without a codec. */
export type Holding = "wrapped" | "json" | "message" | "reflected";

export function holdingOf(field: DescField & { readonly message: DescMessage }): Holding {
  const { file, typeName } = field.message;
  if (file.name === "google/protobuf/wrappers" && field.fieldKind === "message" && field.oneof === undefined) {
    return "wrapped";
  }
  if (typeName === "google.protobuf.Struct" && field.parent.typeName !== "google.protobuf.Value") return "json";
  return codecHome(file.name) === undefined ? "reflected" : "message";
}
