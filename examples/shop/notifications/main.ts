import { serve } from "@protoscaffold/runtime/rpc/serve";
import { notifications } from "./notifications.js";

await serve(notifications, { migrations: new URL("./migrations/", import.meta.url) });
