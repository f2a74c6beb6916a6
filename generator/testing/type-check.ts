import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";

const repository = fileURLToPath(new URL("../../", import.meta.url));

/** The repository's files, its packages' and the compiler's, which one check after another reads. */
const parsed = new Map<string, ts.SourceFile | undefined>();

/**
 * What TypeScript finds wrong with files that exist in memory only, as `file:line: TS2322: message`. They are checked
 * as strictly as this repository, by its tsconfig.json, and see its packages.
 *
 * @param files text by path; the folder that they are said to stand in exists nowhere
 * @param stricter options beside the repository's own
 */
export function typeCheck(files: ReadonlyMap<string, string>, stricter: ts.CompilerOptions = {}): string[] {
  const { config } = ts.readConfigFile(join(repository, "tsconfig.json"), ts.sys.readFile);
  const { options } = ts.parseJsonConfigFileContent({ ...config, include: [], files: [] }, ts.sys, repository);
  const top = join(repository, "generator/.in-memory");
  const texts = new Map([...files].map(([path, text]) => [join(top, path), text]));
  const folders = new Set([...texts.keys()].flatMap((path) => above(path, top)));
  const host = ts.createCompilerHost({ ...options, ...stricter });
  const { fileExists, readFile, directoryExists, getSourceFile } = host;
  host.fileExists = (path) => texts.has(path) || fileExists.call(host, path);
  host.readFile = (path) => texts.get(path) ?? readFile.call(host, path);
  host.directoryExists = (path) => folders.has(path) || (directoryExists?.call(host, path) ?? true);
  host.getSourceFile = (path, version, ...rest) => {
    const text = texts.get(path);
    if (text !== undefined) return ts.createSourceFile(path, text, version);
    const key = `${JSON.stringify(stricter)} ${path}`;
    const known = parsed.get(key) ?? getSourceFile.call(host, path, version, ...rest);
    parsed.set(key, known);
    return known;
  };
  const rootNames = [...texts.keys()].filter((path) => path.endsWith(".ts"));
  const program = ts.createProgram({ rootNames, options: { ...options, ...stricter }, host });
  const own = program.getSourceFiles().filter(({ fileName }) => texts.has(fileName));
  const found = own.flatMap((file) => [
    ...program.getSyntacticDiagnostics(file),
    ...program.getSemanticDiagnostics(file),
  ]);
  return [...program.getOptionsDiagnostics(), ...found].map((diagnostic) => {
    const text = ts.flattenDiagnosticMessageText(diagnostic.messageText, " ");
    const at = diagnostic.file?.getLineAndCharacterOfPosition(diagnostic.start ?? 0);
    const place = diagnostic.file?.fileName.slice(top.length + 1) ?? "tsconfig.json";
    return `${place}:${(at?.line ?? 0) + 1}: TS${diagnostic.code}: ${text}`;
  });
}

function above(path: string, top: string): string[] {
  const folder = dirname(path);
  return folder.length <= top.length ? [top] : [folder, ...above(folder, top)];
}
