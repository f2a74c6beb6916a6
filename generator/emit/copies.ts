import { type DescField, type DescMessage, type DescOneof, ScalarType } from "@bufbuild/protobuf";
import type { GeneratedFile, Printable } from "@bufbuild/protoplugin";
import { qualified } from "../contract/names/exports.js";
import { holdingOf } from "./codec/codec-printer.js";
import { IMPLICIT, inherits } from "./codec/scalar.js";
import { fromRuntime, local } from "./print.js";

/** Functions that copy messages, private to one generated file. */
export class Copies {
  readonly #f: GeneratedFile;
  readonly #path: string;
  readonly #taken: Set<string>;
  readonly #functions = new Map<DescMessage, Printable>();

  /**
   * @param path the path of that file: "shop/orders/v1/orders_cache"
   * @param taken the other names that it declares
   */
  constructor(f: GeneratedFile, path: string, taken: readonly string[]) {
    this.#f = f;
    this.#path = path;
    this.#taken = new Set(taken);
  }

  /** Returns the function that copies such messages. */
  of(message: DescMessage): Printable {
    // A literal cannot create a message with defaults on its prototype, or with a property that every object inherits.
    if (inherits(message) || message.fields.some(({ localName }) => localName in Object.prototype)) {
      return this.#library("copy");
    }
    let name = this.#functions.get(message);
    if (name === undefined) {
      name = local(this.#f, this.#take(`copy${qualified(message)}`), this.#path);
      this.#functions.set(message, name);
    }
    return name;
  }

  /** Prints the requested functions, and those that they call. */
  print(): void {
    for (const [message, name] of this.#functions) this.#print(message, name);
  }

  #print(message: DescMessage, name: Printable): void {
    const f = this.#f;
    const shape = f.importShape(message);
    f.print();
    f.print("/** Returns a deep copy. */");
    f.print("function ", name, "(m: ", shape, "): ", shape, " {");
    f.print("  if (m.$unknown !== undefined) return ", this.#library("copy"), "(m);");
    const optional = message.fields.filter(isOptional);
    const literal: Printable = optional.length === 0 ? "return" : ["const c: ", shape, " ="];
    f.print("  ", literal, " {");
    f.print("    $typeName: ", f.string(message.typeName), ",");
    for (const member of message.members) {
      const value: Printable = `m.${member.localName}`;
      if (member.kind === "oneof") f.print("    ", member.localName, ":", this.#oneof(member, value), ",");
      else if (!isOptional(member)) f.print("    ", member.localName, ": ", this.#copied(member, value), ",");
    }
    f.print("  };");
    for (const field of optional) {
      const value: Printable = `m.${field.localName}`;
      f.print("  if (", value, " !== undefined) c.", field.localName, " = ", this.#copied(field, value), ";");
    }
    if (optional.length > 0) f.print("  return c;");
    f.print("}");
  }

  #oneof({ fields }: DescOneof, value: Printable): Printable {
    const held = fields.filter((field) => this.#ofValue(field) !== undefined);
    const cases = held.map(
      ({ localName }, at): Printable => [
        "\n      ",
        value,
        `.case === "${localName}" ? { case: "${localName}", value: `,
        this.#copied(held[at]!, [value, ".value"]),
        " } :",
      ],
    );
    return [cases, cases.length === 0 ? " " : "\n      ", "{ ...", value, " }"];
  }

  #copied(field: DescField, value: Printable): Printable {
    const ofValue = this.#ofValue(field);
    switch (field.fieldKind) {
      case "list":
        if (ofValue === undefined) return [value, ".slice()"];
        return [this.#library("copyList"), "(", value, ", ", ofValue, ")"];
      case "map":
        if (ofValue === undefined) return ["{ ...", value, " }"];
        return [this.#library("copyMap"), "(", value, ", ", ofValue, ")"];
      default:
        return ofValue === undefined ? value : [ofValue, "(", value, ")"];
    }
  }

  /** Returns the function that copies a field's value or its elements, or undefined for immutable values. */
  #ofValue(field: DescField): Printable | undefined {
    const { message, scalar } = field;
    if (message === undefined) return scalar === ScalarType.BYTES ? this.#library("copyBytes") : undefined;
    switch (holdingOf(field as DescField & { message: DescMessage })) {
      case "wrapped":
        return message.typeName === "google.protobuf.BytesValue" ? this.#library("copyBytes") : undefined;
      case "json":
        return this.#library("copy");
      default:
        return this.of(message);
    }
  }

  #library(name: string): Printable {
    return fromRuntime(this.#f, name, "cache");
  }

  #take(wanted: string): string {
    let name = wanted;
    for (let salt = 0; this.#taken.has(name); salt++) name = `${wanted}$${salt || ""}`;
    this.#taken.add(name);
    return name;
  }
}

/** Returns whether an unset field has no property. */
function isOptional(field: DescField): boolean {
  if (field.oneof !== undefined || field.fieldKind === "list" || field.fieldKind === "map") return false;
  return field.fieldKind === "message" || field.presence !== IMPLICIT;
}
