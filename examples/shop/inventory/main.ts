import { serve } from "@protoscaffold/runtime/service";
import { inventory } from "./inventory.js";

await serve(inventory, { migrations: new URL("./migrations/", import.meta.url) });
