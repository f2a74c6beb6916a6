import type { GeneratedFile } from "@bufbuild/protoplugin";
import type { Contract, ContractFile } from "../contract/contract.js";
import type { Histories } from "../contract/events/history.js";

/** Prints TypeScript beside a .proto file: `orders_schema.ts` for `orders.proto`. */
export interface FileEmitter {
  /** What the printed file's name ends in, after the name of the .proto file: `_schema`. */
  readonly suffix: string;
  /** Returns whether there is anything to print for a file. */
  readonly applies: (file: ContractFile) => boolean;
  readonly emit: (file: ContractFile, f: GeneratedFile, histories: Histories) => void;
}

/** Prints what a system has one of, or what is not TypeScript. */
export interface SystemEmitter {
  readonly emit: (contract: Contract, print: PrintTypeScript) => readonly EmittedFile[];
}

/** A printed file. The path is relative to the folder of generated code. */
export interface EmittedFile {
  readonly path: string;
  readonly content: string;
}

/** Prints one TypeScript file, with the imports that its body asks for. */
export type PrintTypeScript = (path: string, body: (f: GeneratedFile) => void) => EmittedFile;
