import type { JsonValue } from "@bufbuild/protobuf";
import { buildImage } from "../../image/compile.js";
import { descriptors } from "../../image/descriptors.js";
import { chooseDatabases, type ServiceDatabase } from "../../migrate/databases.js";
import {
  contractSteps,
  loadAdmin,
  reader,
  type SagaDetails,
  type SagaListing,
  type SagaQuery,
} from "../../operate/sagas.js";
import type { Settings } from "../../project/settings.js";
import type { CommandOutcome } from "../print/act.js";

/** The project of a command about sagas, and the databases of its services. */
export interface Target {
  readonly settings: Settings;
  readonly databases: readonly ServiceDatabase[];
}

export async function list({ databases }: Target, query: SagaQuery): Promise<CommandOutcome> {
  const { listSagas } = await loadAdmin();
  const all: ({ service: string } & SagaListing)[] = [];
  for (const { service, url } of databases) {
    for (const saga of await listSagas(url, query)) all.push({ service, ...saga });
  }
  return { result: all, lines: all.map(line), code: all.some(({ stuck }) => stuck) ? 100 : 0 };
}

export async function show({ settings, databases }: Target, id: string): Promise<CommandOutcome> {
  const { service, saga } = await find(databases, id);
  const files = descriptors(await buildImage(settings));
  const read = reader(files);
  const calls = new Map(contractSteps(files, settings).map((step) => [`${step.saga} ${step.step}`, step.call]));
  const steps = saga.steps.map(({ name, state, request, answer }) => {
    const call = calls.get(`${saga.saga} ${name}`) ?? "";
    return {
      name,
      call,
      state,
      request: read(call, "input", request),
      answer: answer === undefined ? null : read(call, "output", answer),
    };
  });
  const result = { service, ...saga, input: read(saga.saga, "input", saga.input), steps };
  const lines = [
    line(result),
    `  ${saga.saga} ${text(result.input)}`,
    ...steps.flatMap(({ name, call, state, request, answer }) => [
      `  ${name}: ${state}`,
      `    ${call} ${text(request)}`,
      ...(answer === null ? [] : [`    -> ${text(answer)}`]),
    ]),
  ];
  return { result, lines, code: 0 };
}

export async function retry({ databases }: Target, id: string): Promise<CommandOutcome> {
  const { service, url, saga } = await find(databases, id);
  const { retrySaga } = await loadAdmin();
  if (!(await retrySaga(url, id))) throw new Error(`${id} has ended: it is ${saga.state}`);
  return { result: { service, id }, lines: [`${service}: ${id} goes on`], code: 0 };
}

export async function compensate({ databases }: Target, id: string, reason: string): Promise<CommandOutcome> {
  const { service, url, saga } = await find(databases, id);
  const { compensateSaga } = await loadAdmin();
  if (!(await compensateSaga(url, id, reason))) throw new Error(`${id} is ${saga.state} already`);
  return { result: { service, id, reason }, lines: [`${service}: ${id} is being undone`], code: 0 };
}

/** @param urls URLs of databases outside of the running system, `orders=postgres://…` */
export async function audit(settings: Settings, urls: readonly string[]): Promise<CommandOutcome> {
  const steps = contractSteps(descriptors(await buildImage(settings)), settings);
  const urlOf = await addresses(settings, urls);
  const { auditSagas } = await loadAdmin();
  const all: object[] = [];
  const lines: string[] = [];
  const starters = [...new Set(steps.map(({ starter }) => starter))];
  for (const starter of starters) {
    const mine = steps.filter((step) => step.starter === starter);
    const audited = mine.map((step) => ({ ...step, url: urlOf(step.service) }));
    for (const found of await auditSagas(urlOf(starter), audited)) {
      all.push({ starter, ...found });
      lines.push(`${starter}: ${found.saga}: step ${found.step} ${found.message} (${found.service})`);
    }
  }
  if (lines.length === 0)
    lines.push(`both sides agree on ${steps.length} steps of ${starters.join(", ") || "no service"}`);
  return { result: all, lines, code: all.length === 0 ? 0 : 100 };
}

async function addresses(settings: Settings, urls: readonly string[]): Promise<(service: string) => string> {
  const given = new Map(
    urls.map((text) => {
      const [, service, url] = /^([^=]+)=(postgres(?:ql)?:\/\/.*)$/.exec(text) ?? [];
      if (service === undefined || url === undefined) {
        throw new Error(`--url is <service>=postgres://user:password@host:5432/database here; this is ${text}`);
      }
      return [service, url];
    }),
  );
  const running = given.size > 0 ? [] : await chooseDatabases(settings, {});
  for (const { service, url } of running) given.set(service, url);
  return (service) => {
    const url = given.get(service);
    if (url === undefined) throw new Error(`${service} has a side to compare too: give --url ${service}=postgres://…`);
    return url;
  };
}

async function find(
  databases: readonly ServiceDatabase[],
  id: string,
): Promise<{ service: string; url: string; saga: SagaDetails }> {
  const { findSaga } = await loadAdmin();
  for (const { service, url } of databases) {
    const saga = await findSaga(url, id);
    if (saga !== undefined) return { service, url, saga };
  }
  throw new Error(`${databases.map(({ service }) => service).join(", ")}: there is no saga ${id}`);
}

function line(saga: { service: string } & SagaListing): string {
  const { service, id, state, step, attempts, stuck, error, incompatibility, reason, createdAt } = saga;
  const what = step === null ? state : `${state} at ${step}`;
  return [
    `${service}: ${id}`,
    `since ${createdAt.toISOString()}`,
    stuck ? `${what}, stuck` : what,
    ...(attempts === 0 ? [] : [`${attempts === 1 ? "1 failure" : `${attempts} failures, the last`}: ${error}`]),
    ...(incompatibility === null ? [] : [`incompatible with the contract: ${incompatibility}`]),
    ...(reason === null ? [] : [`for: ${reason}`]),
  ].join(", ");
}

function text(value: JsonValue): string {
  return JSON.stringify(value);
}
