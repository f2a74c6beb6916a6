import type { DescMessage, Message } from "@bufbuild/protobuf";
import { type CallOptions, ConnectError } from "@connectrpc/connect";
import { backoffMs } from "../call/backoff.js";
import { isFinalCode } from "../call/final-codes.js";
import { createMessage } from "../codec/create.js";
import { codecOf } from "../codec/known.js";
import type { Data } from "../data/data.js";
import { fromDatabase } from "../data/postgres/errors.js";
import type { Backoff } from "../spec/retry.js";
import type { SagaSpec, StepSpec } from "../spec/saga.js";
import { methodsOf, misfitBack, misfitForward } from "./fit.js";
import { isPermanent } from "./permanent.js";
import { type SagaDefinition, stepKey } from "./saga.js";
import { LeaseLost, type SagaChange, type SagaRow, STUCK_AFTER, write } from "./store.js";

/** One kind of saga: what its contract says, and what its author defines. */
export interface Plan {
  readonly name: string;
  readonly spec: SagaSpec;
  readonly definition: SagaDefinition;
}

/** What a saga walks over. */
export interface Ground {
  readonly data: Data;
  readonly peers: Readonly<Record<string, unknown>>;
  readonly leaseMs: number;
  /** Aborted when the process ends: a call that is on its way is given up, and made again by whoever comes next. */
  readonly signal: AbortSignal;
}

/** Where a saga stands after a step of its walk. */
export type Progress =
  /** It goes on at once. */
  | { readonly kind: "on"; readonly row: SagaRow }
  /** It is to be tried again after a while, by whoever comes first. `stuck`: as of now, somebody should look. */
  | { readonly kind: "later"; readonly inMs: number; readonly stuck: boolean; readonly error: ConnectError }
  /** It waits for a version of the contract that it fits. */
  | { readonly kind: "parked"; readonly inMs: number; readonly misfit: string }
  | { readonly kind: "ended"; readonly state: "completed" | "compensated" };

/** How often a saga that this version of the contract does not fit is looked at, by whichever version comes first. */
const PARKED_MS = 5000;
/** How long an undoing waits that was refused for good: only another version, or a person, can make it succeed. */
const REFUSED_MS = 60_000;
/** How long what fails in the service itself waits. */
const OWN_RETRY: Backoff = { initialBackoffMs: 100, maxBackoffMs: 10_000, backoffMultiplier: 2 };

/** The bytes of a step's request, its key in it. */
export function buildRequest(plan: Plan, step: StepSpec, id: string, input: Message, answers: object): Uint8Array {
  const defined = plan.definition.steps[step.localName];
  const init = defined?.request({ id, input, answers: answers as never });
  return codecOf(step.call.input).toBytes({ ...init, [step.key]: stepKey(id, step.name) });
}

/**
 * Makes one step of a saga, forward or back, and writes it down. What fails unforeseen is tried again, unless it would fail in the
 * same way for ever: then a saga that goes forward turns back, and one that goes back is stuck at once.
 *
 * @throws LeaseLost if somebody else has it
 */
export async function stepOn(plan: Plan, row: SagaRow, ground: Ground): Promise<Progress> {
  try {
    return await (row.state === "running" ? forward(plan, row, ground) : back(plan, row, ground));
  } catch (error) {
    if (error instanceof LeaseLost || ground.signal.aborted) throw error;
    const failure = ConnectError.from(fromDatabase(error));
    if (!isPermanent(error)) return later(row, ground, failure, OWN_RETRY);
    return row.state === "running" ? turn(row, ground, failure.rawMessage) : stuck(row, ground, failure);
  }
}

async function forward(plan: Plan, row: SagaRow, ground: Ground): Promise<Progress> {
  const { steps } = plan.spec;
  if (row.leftMs <= 0) return turn(row, ground, "it took too long", undefined, row.misfit ?? row.error ?? undefined);
  // Another version of the contract may have begun it, and may still run beside this one.
  const misfit = misfitForward(plan.spec, row);
  if (misfit !== undefined) return park(row, misfit, ground);
  const position = row.answers.length;
  const step = steps[position];
  // All are answered, but it was not completed: a version before had fewer steps, or more.
  if (step === undefined) return complete(plan, row, undefined, ground);
  if (position >= row.steps.length) return begin(plan, row, step, undefined, ground);
  const request = decode(step.call.input, row.requests[position]);
  let answer: Message;
  try {
    answer = await call(step, step.call, request, row, ground, row.leftMs);
  } catch (thrown) {
    return failed(step, row, ConnectError.from(thrown), ground);
  }
  const bytes = codecOf(step.call.output).toBytes(answer as never);
  const refusal = plan.definition.steps[step.localName]?.refused?.(answer as never);
  if (refusal !== undefined) return turn(row, ground, refusal, bytes);
  const next = steps[position + 1];
  return next === undefined ? complete(plan, row, bytes, ground) : begin(plan, row, next, bytes, ground);
}

/** Writes down the answer of a step, and the request of the one that comes next. */
async function begin(
  plan: Plan,
  row: SagaRow,
  step: StepSpec,
  answer: Uint8Array | undefined,
  ground: Ground,
): Promise<Progress> {
  const known = withAnswer(row, answer);
  let request: Uint8Array;
  try {
    request = buildRequest(plan, step, row.id, inputOf(plan, row), answersOf(plan, known));
  } catch (error) {
    return turn(row, ground, `${step.name}: ${(error as Error).message}`, answer);
  }
  const { call, compensation } = methodsOf(step);
  const next = { step: step.name, request, call, compensation };
  return advance(
    row,
    ground,
    { answer, next, dueInMs: ground.leaseMs },
    {
      ...known,
      steps: [...row.steps, step.name],
      requests: [...row.requests, request],
      calls: [...row.calls, call],
      compensations: [...row.compensations, compensation],
      attempts: 0,
    },
  );
}

async function complete(plan: Plan, row: SagaRow, answer: Uint8Array | undefined, ground: Ground): Promise<Progress> {
  const state = { id: row.id, input: inputOf(plan, row), answers: answersOf(plan, withAnswer(row, answer)) as never };
  try {
    await ground.data.transaction(async (tx) => {
      await write(tx.db, row, { state: "completed", answer, dueInMs: 0 });
      await plan.definition.complete(tx as never, state);
    });
  } catch (error) {
    if (!isPermanent(error)) throw error;
    return turn(row, ground, ConnectError.from(error).rawMessage, answer);
  }
  return { kind: "ended", state: "completed" };
}

/** What becomes of a saga whose step at hand was not answered, or with an error. */
function failed(step: StepSpec, row: SagaRow, error: ConnectError, ground: Ground): Promise<Progress> {
  const reason = `${step.name}: ${error.rawMessage}`;
  if (ground.signal.aborted) throw error;
  if (isFinalCode(error.code)) return turn(row, ground, reason);
  const { maxAttempts = Number.POSITIVE_INFINITY } = step.retry;
  return row.attempts + 1 >= maxAttempts ? turn(row, ground, reason) : later(row, ground, error, step.retry);
}

/** Has a saga go back. Every step that was begun is undone, for even one that has failed may have been done before. */
function turn(row: SagaRow, ground: Ground, reason: string, answer?: Uint8Array, error?: string): Promise<Progress> {
  const change: SagaChange = { state: "compensating", reason, answer, error, dueInMs: ground.leaseMs };
  return advance(row, ground, change, { ...withAnswer(row, answer), state: "compensating", reason, attempts: 0 });
}

async function back(plan: Plan, row: SagaRow, ground: Ground): Promise<Progress> {
  const position = row.steps.length - row.undone - 1;
  if (position < 0) return cancel(plan, row, false, ground);
  const name = row.steps[position] as string;
  const step = plan.spec.steps.find((candidate) => candidate.name === name);
  const misfit = misfitBack(step, row, position);
  if (step === undefined || misfit !== undefined) return park(row, misfit ?? "", ground);
  const done = decode(step.call.input, row.requests[position]);
  const request = createMessage(
    step.compensate.input,
    step.compensation(done as never, stepKey(row.id, name)) as never,
  );
  try {
    await call(step, step.compensate, request, row, ground);
  } catch (thrown) {
    if (ground.signal.aborted) throw thrown;
    const error = ConnectError.from(thrown);
    return isFinalCode(error.code) ? stuck(row, ground, error) : later(row, ground, error, step.retry);
  }
  if (position === 0) return cancel(plan, row, true, ground);
  const change = { undone: true, dueInMs: ground.leaseMs };
  return advance(row, ground, change, { ...row, undone: row.undone + 1, attempts: 0 });
}

async function cancel(plan: Plan, row: SagaRow, undone: boolean, ground: Ground): Promise<Progress> {
  const state = { id: row.id, input: inputOf(plan, row), answers: answersOf(plan, row) as never };
  await ground.data.transaction(async (tx) => {
    await write(tx.db, row, { state: "compensated", undone, dueInMs: 0 });
    await plan.definition.cancel(tx as never, state, row.reason ?? "");
  });
  return { kind: "ended", state: "compensated" };
}

async function advance(row: SagaRow, { data }: Ground, change: SagaChange, then: SagaRow): Promise<Progress> {
  await write(data.db, row, change);
  return { kind: "on", row: then };
}

async function later(row: SagaRow, { data }: Ground, error: ConnectError, retry: Backoff): Promise<Progress> {
  const attempts = row.attempts + 1;
  // Whoever has no time left has to turn back by then.
  const left = row.state === "running" ? Math.max(0, row.leftMs) : Number.POSITIVE_INFINITY;
  const inMs = Math.min(left, backoffMs(attempts, retry));
  await write(data.db, row, { error: error.message, dueInMs: inMs });
  return { kind: "later", inMs, stuck: attempts === STUCK_AFTER, error };
}

/** Has an undoing wait that was refused for good, and shows the saga as stuck from the first refusal on. */
async function stuck(row: SagaRow, { data }: Ground, error: ConnectError): Promise<Progress> {
  await write(data.db, row, { error: error.message, refused: true, dueInMs: REFUSED_MS });
  const wasStuck = row.refused || row.attempts >= STUCK_AFTER;
  return { kind: "later", inMs: REFUSED_MS, stuck: !wasStuck, error };
}

/** Has a saga wait for a version of the contract that it fits: nothing is guessed. When its time is over it goes back. */
async function park(row: SagaRow, misfit: string, { data }: Ground): Promise<Progress> {
  const inMs = row.state === "running" ? Math.min(row.leftMs, PARKED_MS) : PARKED_MS;
  await write(data.db, row, { misfit, dueInMs: inMs });
  return { kind: "parked", inMs, misfit };
}

/** One attempt, no longer than it may take. */
function call(
  step: StepSpec,
  method: StepSpec["call"],
  request: Message,
  row: SagaRow,
  { peers, signal }: Ground,
  leftMs = Number.POSITIVE_INFINITY,
): Promise<Message> {
  const peer = peers[step.peer] as Record<string, (request: Message, options: CallOptions) => Promise<Message>>;
  const most = Math.min(leftMs, step.timeoutMs ?? Number.POSITIVE_INFINITY);
  const timeoutMs = Number.isFinite(most) ? Math.max(1, Math.ceil(most)) : undefined;
  const run = peer[method.localName];
  if (run === undefined) throw new Error(`${step.peer} has no ${method.localName}`);
  return run(request, { signal, timeoutMs, headers: row.trace ?? {} });
}

function withAnswer(row: SagaRow, answer: Uint8Array | undefined): SagaRow {
  return answer === undefined ? row : { ...row, answers: [...row.answers, answer] };
}

function inputOf({ spec }: Plan, row: SagaRow): Message {
  return decode(spec.method.input, row.input);
}

/** What the steps have answered, by their names in code. */
function answersOf({ spec }: Plan, row: SagaRow): object {
  const named = row.answers.flatMap((bytes, position) => {
    const step = spec.steps.find(({ name }) => name === row.steps[position]);
    return step === undefined ? [] : [[step.localName, decode(step.call.output, bytes)]];
  });
  return Object.fromEntries(named);
}

function decode(schema: DescMessage, bytes: Uint8Array | undefined): Message {
  return codecOf(schema).decode(bytes ?? new Uint8Array());
}
