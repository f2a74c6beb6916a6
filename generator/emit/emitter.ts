import type { GeneratedFile } from "@bufbuild/protoplugin";
import type { Contract, ContractFile } from "../contract/contract.js";
import type { Histories } from "../contract/events/history.js";

/** Prints TypeScript beside a .proto file: `orders_schema.ts` for `orders.proto`. */
export interface FileEmitter {
  /** The suffix of the printed file's name, after the name of the .proto file: `_schema`. */
  readonly suffix: string;
  /** Returns whether there is anything to print for a file. */
  readonly applies: (file: ContractFile) => boolean;
  readonly emit: (file: ContractFile, f: GeneratedFile, histories: Histories) => void;
}

/** Emits files of the whole system, or files that are not TypeScript. */
export interface SystemEmitter {
  readonly emit: (contract: Contract, print: PrintTypeScript) => readonly EmittedFile[];
}

/** A printed file. The path is relative to the folder of generated code. */
export interface EmittedFile {
  readonly path: string;
  readonly content: string;
}

/** Prints one TypeScript file, with the imports of its body. */
export type PrintTypeScript = (path: string, body: (f: GeneratedFile) => void) => EmittedFile;
