import { serve } from "@protoscaffold/runtime/service";
import { payments } from "./payments.js";

await serve(payments, { migrations: new URL("./migrations/", import.meta.url) });
