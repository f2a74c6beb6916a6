import type { StockLine } from "@shop/generated/shop/inventory/v1/inventory_pb.js";
import { InventoryService, ReservationState } from "@shop/generated/shop/inventory/v1/inventory_pb.js";
import { inventoryService } from "@shop/generated/shop/inventory/v1/inventory_service.js";

export const inventory = inventoryService({
  handlers: (service) => ({
    reserveStock({ orderId, lines }, context) {
      return service.once(context, async (tx) => {
        const wanted = total(lines);
        const reserved = [];
        const missing = [];
        // Lock in the order of ids, so that two reservations never deadlock.
        for (const [productId, quantity] of [...wanted].sort(([a], [b]) => (a < b ? -1 : 1))) {
          const product = await tx.products.find(productId);
          const stock = product && (await tx.stocks.find(productId)) && (await tx.stocks.lock(productId));
          if (product === undefined || stock === undefined || stock.available < quantity) {
            missing.push(productId);
          } else {
            reserved.push({ productId, quantity, unitPriceCents: product.priceCents, stock });
          }
        }
        if (missing.length > 0) {
          return tx.reservations.create({ orderId, state: ReservationState.REJECTED, missingProductIds: missing });
        }
        for (const { productId, quantity, stock } of reserved) {
          await tx.stocks.update(productId, {
            available: stock.available - quantity,
            reserved: stock.reserved + quantity,
          });
        }
        return tx.reservations.create({
          orderId,
          state: ReservationState.RESERVED,
          lines: reserved.map(({ productId, quantity, unitPriceCents }) => ({ productId, quantity, unitPriceCents })),
        });
      });
    },

    releaseStock({ orderId }, context) {
      return service.undo(context, InventoryService.method.reserveStock, async (tx, reservation) => {
        // Nothing was reserved, and `undo` refuses a reservation that arrives later.
        if (reservation === undefined) return { orderId, state: ReservationState.RELEASED };
        if (reservation.state !== ReservationState.RESERVED) return reservation;
        for (const { productId, quantity } of reservation.lines) {
          const stock = await tx.stocks.lock(productId);
          await tx.stocks.update(productId, {
            available: stock.available + quantity,
            reserved: stock.reserved - quantity,
          });
        }
        return tx.reservations.update(reservation.id, { state: ReservationState.RELEASED });
      });
    },
  }),
});

/** Returns the quantity of each product, because several lines may name the same one. */
function total(lines: readonly StockLine[]): Map<string, number> {
  const quantities = new Map<string, number>();
  for (const { productId, quantity } of lines) quantities.set(productId, (quantities.get(productId) ?? 0) + quantity);
  return quantities;
}
