import { ParcelState } from "../../generator/testdata/parcels/expected/generated/contract_pb.js";
import { parcels as table } from "../../generator/testdata/parcels/expected/generated/contract_schema.js";
import { parcelService } from "../../generator/testdata/parcels/expected/generated/contract_service.js";
import { createTables, execute } from "../../generator/testing/tables.js";
import type { ServiceDefinition } from "../service/define.js";
import { runtimeTables } from "../service/migrations.js";

/** The service of generator/testdata/parcels: reads from replicas, and writes that may be deferred. */
export const parcels = parcelService({
  handlers: (service) => ({
    findParcel: ({ id }) => service.parcels.get(id),
    moveParcel: ({ id, place }, context) =>
      service.once(context, async (tx) => {
        const { moves } = await tx.parcels.lock(id);
        return tx.parcels.update(id, { place, moves: moves + 1, state: ParcelState.MOVED });
      }),
  }),
});

/** Makes its tables. */
export async function createParcels(url: string): Promise<void> {
  await createTables(url, [table]);
  await execute(url, runtimeTables);
}

/** The same service, of which nothing can be served without its database. */
export const plainParcels: ServiceDefinition = {
  ...parcels,
  spec: {
    ...parcels.spec,
    policy: Object.fromEntries(Object.keys(parcels.spec.policy).map((name) => [name, {}])),
    entities: Object.fromEntries(Object.entries(parcels.spec.entities).map(([name, { entity }]) => [name, { entity }])),
  },
};
