import { serve } from "../service/serve.js";
import { misruled } from "./misruled.js";

/** As a process of its own. MIGRATIONS: the folder of its migrations. */
await serve(misruled, { migrations: new URL(process.env.MIGRATIONS!) });
