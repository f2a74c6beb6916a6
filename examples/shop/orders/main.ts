import { serve } from "@protoscaffold/runtime/service";
import { orders } from "./orders.js";

await serve(orders, { migrations: new URL("./migrations/", import.meta.url) });
