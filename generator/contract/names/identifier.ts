/** The words that a module, which is always strict, cannot declare. They are no names of parameters either. */
const reserved = new Set(
  [
    "arguments await break case catch class const continue debugger default delete do else enum eval export extends",
    "false finally for function globalThis if implements import in instanceof interface let new null package private",
    "protected public return static super switch this throw true try typeof undefined var void while with yield",
  ].flatMap((line) => line.split(" ")),
);

/** Returns the name if a module can declare it, or else the nearest that it can: "delete" -> "delete$". */
export function identifier(name: string): string {
  if (/^\d/.test(name)) return `_${name}`;
  return reserved.has(name) ? `${name}$` : name;
}
