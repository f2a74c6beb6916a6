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

/** The model of the protos: parsed, resolved and frozen. Planning reads nothing else. */
export interface Contract {
  /** The project's own files, in proto order, without the vendored ones (google, buf, grpc, scaffold). */
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
  /** The common path of the generated files, without their suffix: "shop/orders/v1/orders". */
  readonly path: string;
  /** All services in the file, also those that this system does not run. */
  readonly services: readonly Service[];
  readonly entities: readonly Entity[];
  readonly events: readonly Event[];
}

export interface Service {
  readonly desc: DescService;
  readonly file: string;
  /** The short name: "orders" for shop.orders.v1.OrderService, unless the project gives it another. */
  readonly name: string;
  /** Whether this system runs the service: it has (scaffold.v1.service), or package.json lists it. */
  readonly run: boolean;
  readonly exports: ServiceExports;
  readonly methods: readonly Method[];
  readonly entities: readonly Entity[];
  /** The services that its handlers may call. This system need not run all of them. */
  readonly calls: readonly Service[];
  readonly consumes: readonly Subscription[];
}

export interface Method {
  readonly desc: DescMethod;
  /** Undefined: the method needs a handwritten handler. */
  readonly standard: Standard | undefined;
  readonly timeoutMs: number | undefined;
  readonly idempotencyKey: DescField | undefined;
  /** The fields of the request in which two calls with the same key may differ. */
  readonly idempotencyIgnores: readonly DescField[];
  /** Whether its reads may use replicas. */
  readonly replicas: boolean;
  /** The response of a deferred write. Undefined: the method's writes are not deferred. */
  readonly deferred: Deferred | undefined;
  /** The compression of its messages. Undefined: the environment decides. */
  readonly compression: MessageCompression | undefined;
  readonly publishes: readonly Event[];
  /** The saga that it starts. Undefined: none. */
  readonly saga: Saga | undefined;
  readonly routes: readonly Http[];
}

/** The compression of a method's messages. */
export interface MessageCompression {
  /** Undefined: the environment decides. */
  readonly algorithm: "identity" | "gzip" | undefined;
  /** The size of the smallest message that is compressed, in bytes. Undefined: the environment decides. */
  readonly minBytes: number | undefined;
}

/** The enum field of a response, and its value, that report an accepted write. */
export interface Deferred {
  readonly field: DescField;
  readonly value: DescEnumValue;
}

/** Steps in other services: all of them are done, or those that were done are compensated. */
export interface Saga {
  readonly exports: SagaExports;
  readonly timeoutMs: number;
  /** How long an ended saga is kept. */
  readonly retentionH: number;
  readonly steps: readonly SagaStep[];
}

export interface SagaStep {
  readonly name: string;
  /** The name in code: "bookSeat" for book_seat. */
  readonly localName: string;
  /** The service that is called. */
  readonly service: Service;
  readonly method: Method;
  /** The field of the method's request that holds the step's key. */
  readonly key: DescField;
  /** The method that compensates the step. */
  readonly compensation: Method;
  readonly compensationKey: DescField;
  /** The fields of the compensation's request that are copied from the step's request. */
  readonly copied: readonly { readonly from: DescField; readonly to: DescField }[];
  /** The deadline of one attempt. Undefined: only the saga's. */
  readonly timeoutMs: number | undefined;
  readonly retry: RetryPolicy;
}

/** The retry policy of failed work, in the words of gRPC's service config. */
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
  /** The path in its method's options: field numbers, from the extension's own on. */
  readonly option: readonly number[];
}

/** A standard method (AIP-131 to 135, 164, 231): its kind, its entity, and the fields of its request and response. */
export type Standard =
  | { readonly kind: "get"; readonly entity: Entity; readonly key: DescField }
  /** `answers`: whether the response is the deleted row (AIP-164) instead of Empty. */
  | { readonly kind: "delete"; readonly entity: Entity; readonly key: DescField; readonly answers: boolean }
  | { readonly kind: "undelete"; readonly entity: Entity; readonly key: DescField }
  | { readonly kind: "list"; readonly entity: Entity; readonly items: DescField }
  | { readonly kind: "batchGet"; readonly entity: Entity; readonly keys: DescField; readonly items: DescField }
  | { readonly kind: "create"; readonly entity: Entity; readonly resource: DescField }
  | { readonly kind: "update"; readonly entity: Entity; readonly resource: DescField; readonly mask: DescField };

/** An event. */
export interface Event {
  readonly desc: DescMessage;
  readonly file: string;
  readonly exports: EventExports;
  /** The name of a consumer's handler: "orderPlaced". */
  readonly handler: string;
  readonly topic: string;
  /** The field that orders events. Undefined: they are not ordered. */
  readonly key: DescField | undefined;
  readonly partitions: number;
  readonly retentionH: number;
  /** Whether exactly one service may consume it. */
  readonly isQueue: boolean;
  /** At most one in a contract without errors. */
  readonly publishers: readonly Service[];
  readonly consumers: readonly Service[];
}

/** A service's subscription to the events of one type. */
export interface Subscription {
  readonly event: Event;
  readonly concurrency: number;
  readonly batch: number;
  readonly timeoutMs: number;
  readonly retry: RetryPolicy;
  /** Whether the events of a key wait behind its dead letter. */
  readonly parks: boolean;
  readonly publishes: readonly Event[];
}

export interface Entity {
  readonly desc: DescMessage;
  readonly file: string;
  readonly exports: EntityExports;
  /** The table's name. */
  readonly table: string;
  /** The name of its repository in code: "orderLines" for OrderLine. */
  readonly plural: string;
  readonly columns: readonly Column[];
  readonly key: Column;
  readonly indexes: readonly Index[];
  /** The CHECK constraints. */
  readonly checks: readonly Check[];
  readonly references: readonly Reference[];
  /** The former full name of the message. */
  readonly renamedFrom: string | undefined;
  readonly cache:
    | { readonly ttlS: number; readonly staleIfErrorS: number; readonly staleWhileRevalidateS: number }
    | undefined;
  readonly createTime: DescField | undefined;
  readonly updateTime: DescField | undefined;
  /** The time of a soft delete (AIP-164). */
  readonly deleteTime: DescField | undefined;
  /** The version of a row (AIP-154). */
  readonly etag: DescField | undefined;
  readonly outputOnly: readonly DescField[];
  readonly immutable: readonly DescField[];
}

export interface Column {
  readonly desc: DescField;
  /** The name in the database: the field's, unless the contract gives another. */
  readonly name: string;
  readonly type: ColumnTypeName;
  /** The scalar type of the field, or of the wrapper message that it holds. Undefined: neither is the case. */
  readonly scalar: ScalarType | undefined;
  /** Whether an unset field is NULL. */
  readonly nullable: boolean;
  /** Whether an empty text is stored as NULL: it refers to nothing, for no row has the empty key. */
  readonly emptyIsNull: boolean;
}

export interface Index {
  readonly name: string;
  readonly columns: readonly Column[];
  readonly unique: boolean;
}

/** A CHECK constraint. */
export interface Check {
  readonly name: string;
  /** The columns that it constrains. */
  readonly columns: readonly Column[];
  /** The expression in pieces: names of columns are filled in last. */
  readonly sql: readonly (string | Column)[];
  /** Whether a row in which these columns are unset violates it. */
  readonly refusesDefault: boolean;
}

/** A foreign key to another entity of the same service. */
export interface Reference {
  readonly name: string;
  readonly column: Column;
  readonly target: Entity;
}
