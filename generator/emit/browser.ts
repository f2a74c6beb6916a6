import type { GeneratedFile } from "@bufbuild/protoplugin";
import type { ContractFile } from "../contract/contract.js";
import { fromGenerated, fromRuntime, local } from "./print.js";

/** Emits `_browser`: the client of a service over gRPC-Web, without Node.js. */
export function emitBrowser(file: ContractFile, f: GeneratedFile): void {
  for (const service of file.services) {
    const { name } = service.desc;
    const { connect, policy } = service.exports;
    const options = local(f, "options", `${file.path}_browser`);
    const schema = f.importSchema(service.desc);
    f.print();
    f.print(
      f.jsDoc(
        `${name} over gRPC-Web, for browsers. Needs only fetch, not Node.js.\n\n    const client = ${connect}({ baseUrl: location.origin });\n\n@generated from ${service.desc}`,
      ),
    );
    f.print(
      f.export("function", connect),
      "(",
      options,
      ": ",
      fromRuntime(f, "BrowserClientOptions", "browser", true),
      "): ",
      f.import("Client", "@connectrpc/connect", true),
      "<typeof ",
      schema,
      "> {",
    );
    f.print(
      "  return ",
      fromRuntime(f, "createBrowserClient", "browser"),
      "(",
      schema,
      ", ",
      fromGenerated(f, policy, file.path, "_policy"),
      ", ",
      options,
      ");",
    );
    f.print("}");
  }
}
