/**
 * What is done to events in databases: the runtime's own idea of them, so that there is one. Loaded only by the commands
 * that need a database.
 */
export const loadOperations = () => import("@protoscaffold/runtime/codegen/tool/events");

export type Operations = Awaited<ReturnType<typeof loadOperations>>;
type Awaitable<T> = T extends (...args: never[]) => infer R ? Awaited<R> : never;

export type OutboxReader = ReturnType<Operations["openOutbox"]>;
export type Published = Awaitable<OutboxReader["read"]>["events"][number];
/** Where in an outbox: at a position, or at the first event from a time on. */
export type Point = NonNullable<Parameters<OutboxReader["before"]>[0]>;
export type Span = NonNullable<Awaitable<Operations["measureSpan"]>>;
export type DeadLetterChoice = Parameters<Operations["listDeadLetters"]>[1];
export type DeadLetter = Awaitable<Operations["listDeadLetters"]>["letters"][number];
