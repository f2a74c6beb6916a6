import { serve } from "@protoscaffold/runtime/service";
import { notifications } from "./notifications.js";

await serve(notifications, { migrations: new URL("./migrations/", import.meta.url) });
