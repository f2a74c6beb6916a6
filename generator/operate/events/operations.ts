/**
 * The runtime's operations on events in databases. Loaded only by the commands that need a database.
 */
export const loadOperations = () => import("@protoscaffold/runtime/codegen/tool/events");

export type Operations = Awaited<ReturnType<typeof loadOperations>>;
type Awaitable<T> = T extends (...args: never[]) => infer R ? Awaited<R> : never;

export type OutboxReader = ReturnType<Operations["openOutbox"]>;
export type Published = Awaitable<OutboxReader["read"]>["events"][number];
/** A point in an outbox: a position, or the first event from a time on. */
export type Point = NonNullable<Parameters<OutboxReader["before"]>[0]>;
export type Span = NonNullable<Awaitable<Operations["measureSpan"]>>;
export type DeadLetterChoice = Parameters<Operations["listDeadLetters"]>[1];
export type DeadLetter = Awaitable<Operations["listDeadLetters"]>["letters"][number];
