/**
 * A standard method (AIP-131 to 135, 164, 231): which, over which entity (by the name that handlers use), and in which fields
 * of its request and response (by their names in TypeScript).
 */
export type StandardMethod =
  | { readonly kind: "get"; readonly entity: string; readonly key: string }
  /** `answers`: with the row that is deleted now, rather than with nothing. */
  | { readonly kind: "delete"; readonly entity: string; readonly key: string; readonly answers?: boolean }
  | { readonly kind: "undelete"; readonly entity: string; readonly key: string }
  | { readonly kind: "list"; readonly entity: string; readonly items: string }
  | { readonly kind: "batchGet"; readonly entity: string; readonly keys: string; readonly items: string }
  | { readonly kind: "create"; readonly entity: string; readonly resource: string }
  | { readonly kind: "update"; readonly entity: string; readonly resource: string; readonly mask: string };
