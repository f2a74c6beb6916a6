import { emitBrowser } from "./browser.js";
import { emitCache } from "./cache.js";
import { emitClient } from "./client.js";
import { emitCodec, hasCodecs } from "./codec.js";
import type { FileEmitter, SystemEmitter } from "./emitter.js";
import { emitEvents } from "./events.js";
import { emitPolicy } from "./policy.js";
import { emitRepository } from "./repository.js";
import { emitRoutes, hasRoutes } from "./routes.js";
import { emitSagas, hasSagas } from "./saga.js";
import { emitSchema } from "./schema.js";
import { emitService } from "./service.js";
import { emitSystem } from "./system.js";

/** The emitters of the files beside each .proto file. */
export const fileEmitters: readonly FileEmitter[] = [
  { suffix: "_codec", applies: hasCodecs, emit: emitCodec },
  { suffix: "_events", applies: ({ events }) => events.length > 0, emit: emitEvents },
  { suffix: "_policy", applies: ({ services }) => services.length > 0, emit: emitPolicy },
  { suffix: "_service", applies: ({ services }) => services.length > 0, emit: emitService },
  { suffix: "_client", applies: ({ services }) => services.length > 0, emit: emitClient },
  { suffix: "_browser", applies: ({ services }) => services.length > 0, emit: emitBrowser },
  { suffix: "_routes", applies: ({ services }) => services.some(hasRoutes), emit: emitRoutes },
  { suffix: "_saga", applies: hasSagas, emit: emitSagas },
  { suffix: "_schema", applies: ({ entities }) => entities.length > 0, emit: emitSchema },
  { suffix: "_repository", applies: ({ entities }) => entities.length > 0, emit: emitRepository },
  { suffix: "_cache", applies: ({ entities }) => entities.some(({ cache }) => cache !== undefined), emit: emitCache },
];

/** The emitters of the files of the whole system. */
export const systemEmitters: readonly SystemEmitter[] = [{ emit: emitSystem }];
