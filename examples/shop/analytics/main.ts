import { serve } from "@protoscaffold/runtime/service";
import { analytics } from "./analytics.js";

await serve(analytics, { migrations: new URL("./migrations/", import.meta.url) });
