import { plainParcels } from "../../testing/parcels.js";
import { serve } from "../serve.js";

/** The parcel service as a process of its own, of which nothing can be served without its database. */
await serve(plainParcels);
