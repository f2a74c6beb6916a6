import { serveGateway } from "@protoscaffold/runtime/gateway";
import { system } from "@shop/generated/system.js";

await serveGateway(system, { web: new URL("./web/", import.meta.url) });
