import { plural, snakeCase } from "../contract/names/names.js";

/** An entity of a new service, as data of a template. */
export type EntityData = {
  /** "OrderLine". */
  readonly name: string;
  /** "OrderLines". */
  readonly plural: string;
  readonly snake: string;
  readonly snakePlural: string;
  readonly table: string;
  /** "order line", for comments. */
  readonly phrase: string;
  readonly phrasePlural: string;
  readonly fields: readonly FieldData[];
  readonly createNumber: number;
  readonly updateNumber: number;
};

export type FieldData = {
  readonly name: string;
  readonly type: string;
  readonly repeated: boolean;
  readonly number: number;
};

const types: Readonly<Record<string, string>> = {
  ...Object.fromEntries(
    ["string", "bool", "int32", "int64", "uint32", "uint64", "float", "double", "bytes"].map((type) => [type, type]),
  ),
  timestamp: "google.protobuf.Timestamp",
};

const given = ["id", "create_time", "update_time"];

/** Parses `Product:name,price_cents:int64,tags:string[]`. Throws an Error that lists all faults. */
export function parseEntity(text: string): EntityData {
  const [, name = "", list = ""] = /^([^:]*):?(.*)$/s.exec(text) ?? [];
  const faults: string[] = [];
  if (!/^[A-Z][A-Za-z0-9]*$/.test(name))
    faults.push(`"${name}" is not a valid name of a message: write it like OrderLine`);
  const parts = list.split(",").filter((part) => part !== "");
  const fields = parts.map((part, index) => parseField(part, index + 2, faults));
  const names = fields.map((field) => field.name);
  for (const [index, field] of names.entries()) {
    if (given.includes(field)) faults.push(`${field} is there without being asked for`);
    else if (names.indexOf(field) < index) faults.push(`${field} is there twice`);
  }
  if (faults.length > 0) throw new Error(faults.map((fault) => `--entity ${text}: ${fault}`).join("\n"));
  const snake = snakeCase(name);
  const snakePlural = snakeCase(plural(name));
  return {
    name,
    plural: plural(name),
    snake,
    snakePlural,
    table: snakePlural,
    phrase: snake.replaceAll("_", " "),
    phrasePlural: snakePlural.replaceAll("_", " "),
    fields,
    createNumber: fields.length + 2,
    updateNumber: fields.length + 3,
  };
}

function parseField(text: string, number: number, faults: string[]): FieldData {
  const [, name = "", word = "string", list] = /^([^:]*)(?::([^[]*)(\[\])?)?$/.exec(text) ?? [];
  if (!/^[a-z][a-z0-9]*(_[a-z][a-z0-9]*)*$/.test(name)) {
    faults.push(`"${text}" is no field: write it like price_cents:int64, or tags:string[]`);
  }
  const type = Object.hasOwn(types, word) ? types[word] : undefined;
  if (type === undefined) faults.push(`${name} cannot be ${word}. There are: ${Object.keys(types).join(", ")}`);
  return { name, type: type ?? word, repeated: list !== undefined, number };
}
