import { serve } from "@protoscaffold/runtime/rpc/serve";
import { orders } from "./orders.js";

await serve(orders, { migrations: new URL("./migrations/", import.meta.url) });
