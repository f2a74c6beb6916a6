import { serve } from "@protoscaffold/runtime/rpc/serve";
import { payments } from "./payments.js";

await serve(payments, { migrations: new URL("./migrations/", import.meta.url) });
