/** What those who look after events do, over the databases of services: nothing of it needs a service to answer. */
export { openBroker } from "./open.js";
export { type EventBacklog, type MissingNumbers, readBacklog, readMissing } from "./operate/backlog.js";
export {
  type DeadLetter,
  type DeadLetterChoice,
  discardDeadLetters,
  listDeadLetters,
  redriveDeadLetters,
} from "./operate/dead-letters.js";
export { type OutboxReader, openOutbox, outboxDepth, type Point, type Published } from "./operate/outbox.js";
export {
  type EventSpan,
  measureSpan,
  type ReplayProgress,
  replayProgress,
  requestReplay,
  type SpanChoice,
} from "./operate/replays.js";
