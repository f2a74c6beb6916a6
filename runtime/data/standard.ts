import { clearField, type DescMessage, type Message, type MessageInitShape } from "@bufbuild/protobuf";
import type { FieldMask } from "@bufbuild/protobuf/wkt";
import type { KeyedContext } from "../call/context.js";
import { violated } from "../call/violations.js";
import { copyMessage } from "../codec/copy.js";
import { own } from "../codec/message.js";
import type { Entity } from "../spec/entity.js";
import type { StandardMethod } from "../spec/standard.js";
import type { Data } from "./data.js";
import type { PageRequest, Repository, SoftRepository } from "./rows/repository.js";
import type { Rows } from "./rows/rows.js";
import { updateRow } from "./rows/update.js";

type Request = Record<string, unknown>;
type Handler = (request: Request, context: KeyedContext<DescMessage>) => Promise<unknown>;

/** The handlers of standard methods, by the methods' names in TypeScript. */
export function standardHandlers(
  methods: Readonly<Record<string, StandardMethod>>,
  data: Data,
): Record<string, Handler> {
  return Object.fromEntries(Object.entries(methods).map(([name, method]) => [name, standardHandler(method, data)]));
}

function standardHandler(method: StandardMethod, data: Data): Handler {
  const rows = data.repositories[method.entity];
  const entity = data.entities[method.entity];
  if (rows === undefined || entity === undefined) throw new Error(`there is no entity ${method.entity}`);
  switch (method.kind) {
    case "get":
      return (request) => rows.get(given(request, method.key));
    case "list":
      // The request may lack any of these fields.
      return async (request) => {
        const page = await rows.list(request as PageRequest);
        return { [method.items]: page.items, nextPageToken: page.nextPageToken };
      };
    case "batchGet":
      return async (request) => ({ [method.items]: await rows.batchGet(request[method.keys] as string[]) });
    case "create":
      return createHandler(method.resource, method.entity, entity, rows, data);
    case "delete":
    case "undelete":
      return (request, context) => {
        const key = given(request, method.key);
        const precondition = { etag: request.etag as string | undefined };
        const run = async (on: SoftRepository<DescMessage>) => {
          if (method.kind === "undelete") return on.undelete(key, precondition);
          const deleted = await on.delete(key, precondition);
          return method.answers ? deleted : {};
        };
        // A single statement needs no transaction.
        return isKeyed(context) ? data.once(context, (tx) => run(soft(tx[method.entity]!))) : run(soft(rows));
      };
    case "update":
      return (request, context) =>
        data.once(context, (tx) => {
          const change = required(request, method.resource);
          const mask = request[method.mask] as FieldMask | undefined;
          return updateRow(entity, tx[method.entity] as unknown as Rows<DescMessage>, change, mask?.paths ?? []);
        });
  }
}

/** Inserts a row. Fields that a request cannot set are cleared instead of refused (AIP-203). */
function createHandler(
  field: string,
  name: string,
  entity: Entity,
  rows: Repository<DescMessage>,
  data: Data,
): Handler {
  const { schema } = entity;
  return (request, context) => {
    const resource = copyMessage(required(request, field));
    for (const output of entity.outputOnly) clearField(resource, schema.field[output] as never);
    const init = resource as MessageInitShape<DescMessage>;
    return isKeyed(context) ? data.once(context, (tx) => tx[name]!.create(init)) : rows.create(init);
  };
}

/** Undelete is a standard method only for entities with soft delete. */
function soft(rows: Repository<DescMessage>): SoftRepository<DescMessage> {
  return rows as SoftRepository<DescMessage>;
}

function isKeyed(context: KeyedContext<DescMessage>): boolean {
  return context.idempotencyKey !== undefined;
}

/** Returns a string field of a request; empty if it is not set. */
function given(request: Request, field: string): string {
  return (own(request, field) as string | undefined) ?? "";
}

function required(request: Request, field: string): Message {
  const resource = own(request, field);
  if (resource === undefined) throw violated([{ field, description: "is missing", reason: "REQUIRED" }]);
  return resource as Message;
}
