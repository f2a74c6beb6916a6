import type { GeneratedFile } from "@bufbuild/protoplugin";
import type { ContractFile } from "../contract/contract.js";
import { fromGenerated, fromRuntime, local } from "./print.js";

/** Emits `_client`: the client of a service over gRPC. */
export function emitClient(file: ContractFile, f: GeneratedFile): void {
  for (const service of file.services) {
    const { name } = service.desc;
    const { client, connect, policy, codecs } = service.exports;
    const options = local(f, "options", `${file.path}_client`);
    const schema = f.importSchema(service.desc);
    f.print();
    f.print(
      f.jsDoc(
        `A client of ${service.desc.name}. A call with a handler's context has the handler's deadline.\n\n@generated from ${service.desc}`,
      ),
    );
    f.print(f.export("type", client), " = ", fromRuntime(f, "ServiceClient", "client", true), "<typeof ", schema, ">;");
    f.print();
    f.print(
      f.jsDoc(
        `Calls ${name} over gRPC.\n\n    const client = ${connect}({ baseUrl: "http://127.0.0.1:50051" });\n\n@generated from ${service.desc}`,
      ),
    );
    f.print(
      f.export("function", connect),
      "(",
      options,
      ": ",
      fromRuntime(f, "ClientOptions", "client", true),
      "): ",
      client,
      " {",
    );
    f.print(
      "  return ",
      fromRuntime(f, "createServiceClient", "client"),
      "(",
      schema,
      ", ",
      fromGenerated(f, policy, file.path, "_policy"),
      ", ",
      options,
      ", ",
      fromGenerated(f, codecs, file.path, "_codec"),
      ");",
    );
    f.print("}");
  }
}
