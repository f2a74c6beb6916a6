import type {
  DescEnumValue,
  DescField,
  DescFile,
  DescMessage,
  DescMethod,
  DescService,
  ScalarType,
} from "@bufbuild/protobuf";
import type { ColumnTypeName } from "./entities/column-types.js";
import type { EntityExports, EventExports, SagaExports, ServiceExports } from "./names/exports.js";

/** What the protos say, read, resolved and frozen: all that planning needs to know. */
export interface Contract {
  /** The project's own files, in proto order: without those that only lend words (google, buf, grpc, scaffold). */
  readonly files: readonly ContractFile[];
  /** The services that this system runs, sorted by name. */
  readonly services: readonly Service[];
  /** Every entity with an owner, sorted by full name. */
  readonly entities: readonly Entity[];
  /** Every event, sorted by full name. */
  readonly events: readonly Event[];
}

export interface ContractFile {
  readonly desc: DescFile;
  /** The path that generated files share, less their suffix: "shop/orders/v1/orders". */
  readonly path: string;
  /** All services in the file, those that this system runs and others. */
  readonly services: readonly Service[];
  readonly entities: readonly Entity[];
  readonly events: readonly Event[];
}

export interface Service {
  readonly desc: DescService;
  readonly file: string;
  /** "orders" for shop.orders.v1.OrderService, unless the project gives it another. */
  readonly name: string;
  /** Whether this system runs it: it has (scaffold.v1.service), or the project says so. */
  readonly run: boolean;
  readonly exports: ServiceExports;
  readonly methods: readonly Method[];
  readonly entities: readonly Entity[];
  /** Whom its handlers may call; not all of them need be run by this system. */
  readonly calls: readonly Service[];
  readonly consumes: readonly Subscription[];
}

export interface Method {
  readonly desc: DescMethod;
  /** Set when the method needs no handwritten code. */
  readonly standard: Standard | undefined;
  readonly timeoutMs: number | undefined;
  readonly idempotencyKey: DescField | undefined;
  /** What of the request two calls with the same key may differ in. */
  readonly idempotencyIgnores: readonly DescField[];
  /** Whether replicas may answer its reads. */
  readonly replicas: boolean;
  /** How a write is answered that is still to be made. Undefined: never. */
  readonly deferred: Deferred | undefined;
  /** How its messages are compressed. Undefined: as the environment says. */
  readonly compression: MessageCompression | undefined;
  readonly publishes: readonly Event[];
  /** What it starts in other services. Undefined: nothing. */
  readonly saga: Saga | undefined;
  readonly routes: readonly Http[];
}

/** What a contract says of compressing a method's messages. */
export interface MessageCompression {
  /** Undefined: as the environment says. */
  readonly algorithm: "identity" | "gzip" | undefined;
  /** The shortest message that is compressed, in bytes. Undefined: as the environment says. */
  readonly minBytes: number | undefined;
}

/** The enum field of an answer, and its value, that say that a write was accepted. */
export interface Deferred {
  readonly field: DescField;
  readonly value: DescEnumValue;
}

/** Steps in other services that are done as a whole, or undone as a whole. */
export interface Saga {
  readonly exports: SagaExports;
  readonly timeoutMs: number;
  /** How long it is kept once it has ended. */
  readonly retentionH: number;
  readonly steps: readonly SagaStep[];
}

export interface SagaStep {
  readonly name: string;
  /** What code calls it: "bookSeat" for book_seat. */
  readonly localName: string;
  /** Whose method is called. */
  readonly service: Service;
  readonly method: Method;
  /** The field of the method's request that holds the step's key. */
  readonly key: DescField;
  /** The method that undoes it. */
  readonly compensation: Method;
  readonly compensationKey: DescField;
  /** Which fields of the compensation's request are those of the step's. */
  readonly copied: readonly { readonly from: DescField; readonly to: DescField }[];
  /** The longest that one attempt may take. Undefined: no bound but the saga's. */
  readonly timeoutMs: number | undefined;
  readonly retry: RetryPolicy;
}

/** When failed work is attempted again, in the words of gRPC's service config. */
export interface RetryPolicy {
  /** The number of attempts, the first one included. Undefined: no bound. */
  readonly maxAttempts: number | undefined;
  readonly initialBackoffMs: number;
  readonly maxBackoffMs: number;
  readonly backoffMultiplier: number;
}

/** A google.api.http binding. */
export interface Http {
  readonly verb: "GET" | "PUT" | "POST" | "DELETE" | "PATCH";
  readonly path: string;
  readonly body: string | undefined;
  readonly responseBody: string | undefined;
  /** Where it stands in its method's options: field numbers, from the extension's own on. */
  readonly option: readonly number[];
}

/** A standard method (AIP-131 to 135, 164, 231): which, over which entity, and in which request and response fields. */
export type Standard =
  | { readonly kind: "get"; readonly entity: Entity; readonly key: DescField }
  /** `answers`: with the row that is deleted now (AIP-164), rather than with nothing. */
  | { readonly kind: "delete"; readonly entity: Entity; readonly key: DescField; readonly answers: boolean }
  | { readonly kind: "undelete"; readonly entity: Entity; readonly key: DescField }
  | { readonly kind: "list"; readonly entity: Entity; readonly items: DescField }
  | { readonly kind: "batchGet"; readonly entity: Entity; readonly keys: DescField; readonly items: DescField }
  | { readonly kind: "create"; readonly entity: Entity; readonly resource: DescField }
  | { readonly kind: "update"; readonly entity: Entity; readonly resource: DescField; readonly mask: DescField };

/** Something that has happened, as it is told to whoever consumes it. */
export interface Event {
  readonly desc: DescMessage;
  readonly file: string;
  readonly exports: EventExports;
  /** How a consumer's handler for it is called: "orderPlaced". */
  readonly handler: string;
  readonly topic: string;
  /** What orders it. Undefined: nothing does. */
  readonly key: DescField | undefined;
  readonly partitions: number;
  readonly retentionH: number;
  /** Whether one service consumes it, and no other may. */
  readonly isQueue: boolean;
  /** One, in a contract without errors, or none. */
  readonly publishers: readonly Service[];
  readonly consumers: readonly Service[];
}

/** What a service does with the events of one type. */
export interface Subscription {
  readonly event: Event;
  readonly concurrency: number;
  readonly batch: number;
  readonly timeoutMs: number;
  readonly retry: RetryPolicy;
  /** Whether a key waits behind its dead letter. */
  readonly parks: boolean;
  readonly publishes: readonly Event[];
}

export interface Entity {
  readonly desc: DescMessage;
  readonly file: string;
  readonly exports: EntityExports;
  /** The table. */
  readonly table: string;
  /** How code calls its repository: "orderLines" for OrderLine. */
  readonly plural: string;
  readonly columns: readonly Column[];
  readonly key: Column;
  readonly indexes: readonly Index[];
  /** What must hold of each row, where SQL can say it. */
  readonly checks: readonly Check[];
  readonly references: readonly Reference[];
  /** The full name that the message had before. */
  readonly renamedFrom: string | undefined;
  readonly cache:
    | { readonly ttlS: number; readonly staleIfErrorS: number; readonly staleWhileRevalidateS: number }
    | undefined;
  readonly createTime: DescField | undefined;
  readonly updateTime: DescField | undefined;
  /** Set on rows that are deleted, and kept all the same (AIP-164). */
  readonly deleteTime: DescField | undefined;
  /** Says which version of a row it is (AIP-154). */
  readonly etag: DescField | undefined;
  readonly outputOnly: readonly DescField[];
  readonly immutable: readonly DescField[];
}

export interface Column {
  readonly desc: DescField;
  /** The name in the database: the field's own, unless the contract gives another. */
  readonly name: string;
  readonly type: ColumnTypeName;
  /** What it holds, or what the wrapper wraps that it holds; undefined for all that is no scalar. */
  readonly scalar: ScalarType | undefined;
  /** What is not set is NULL. */
  readonly nullable: boolean;
  /** A text that refers to nothing is empty in its message, and NULL here, for no row has the empty key. */
  readonly emptyIsNull: boolean;
}

export interface Index {
  readonly name: string;
  readonly columns: readonly Column[];
  readonly unique: boolean;
}

/** What must hold of a row. */
export interface Check {
  readonly name: string;
  /** Whose values it is about. */
  readonly columns: readonly Column[];
  /** The expression, piece by piece, so that names of columns are filled in at last. */
  readonly sql: readonly (string | Column)[];
  /** Whether a row that says nothing of these columns breaks it. */
  readonly refusesDefault: boolean;
}

/** A foreign key: the column holds the key of another entity of the same service, or NULL. */
export interface Reference {
  readonly name: string;
  readonly column: Column;
  readonly target: Entity;
}
