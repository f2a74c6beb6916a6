import { serve } from "../service/serve.js";
import { plainParcels } from "./parcels.js";

/** The parcel service as a process of its own, of which nothing can be served without its database. */
await serve(plainParcels);
