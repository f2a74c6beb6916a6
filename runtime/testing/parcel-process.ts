import { serve } from "../service/serve.js";
import { parcels } from "./parcels.js";

/** The parcel service as a process of its own. Its tables are there already. */
await serve(parcels);
