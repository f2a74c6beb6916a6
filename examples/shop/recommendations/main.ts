import { serve } from "@protoscaffold/runtime/service";
import { recommendations } from "./recommendations.js";

await serve(recommendations, { migrations: new URL("./migrations/", import.meta.url) });
