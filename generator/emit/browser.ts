import type { GeneratedFile } from "@bufbuild/protoplugin";
import type { ContractFile } from "../contract/contract.js";
import { fromGenerated, fromRuntime, local } from "./print.js";

/** `_browser`: a service as a page calls it, over gRPC-Web; it needs nothing of Node. */
export function emitBrowser(file: ContractFile, f: GeneratedFile): void {
  for (const service of file.services) {
    const { name } = service.desc;
    const { connect, policy } = service.exports;
    const options = local(f, "options", `${file.path}_browser`);
    const schema = f.importSchema(service.desc);
    f.print();
    f.print(
      f.jsDoc(
        `${name} over gRPC-Web, for pages. Needs fetch, and nothing of Node.\n\n    const client = ${connect}({ baseUrl: location.origin });\n\n@generated from ${service.desc}`,
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
