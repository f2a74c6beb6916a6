import type { Contract } from "../contract/contract.js";
import type { Diagnostic } from "../contract/findings/diagnostic.js";
import type { Settings } from "../project/settings.js";
import type { Rule } from "../rules/catalogue.js";
import { sourcesIn } from "./handlers.js";

/** Finds services that pass their parts by position, as in old versions. They do not compile any more. */
export function unnamedParts(settings: Settings, { services }: Pick<Contract, "services">): Diagnostic[] {
  return services.flatMap(({ name, exports: { define } }) => {
    const call = new RegExp(
      `(?<![\\w$.])${define.replaceAll("$", "\\$")}\\(\\s*(?:async\\s+)?(?:\\(|function\\b|[\\w$]+\\s*=>)`,
    );
    return [...sourcesIn(settings.root, `${settings.services}/${name}`)].flatMap(([file, text]) => {
      const found = call.exec(text);
      if (found === null) return [];
      const before = text.slice(0, found.index).split("\n");
      return {
        file,
        line: before.length,
        column: before.at(-1)!.length + 1,
        rule: "SERVICE_PARTS" satisfies Rule,
        message:
          `${define} takes its parts by name: write ${define}({ handlers: (service) => ({ … }) }), with consumers, ` +
          "upcasters and sagas beside handlers.",
        severity: "note",
      };
    });
  });
}
