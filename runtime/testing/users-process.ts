import type { UserService as Service } from "@shop/generated/shop/users/v1/users_pb.js";
import { UserService } from "@shop/generated/shop/users/v1/users_pb.js";
import type { Context } from "../call/context.js";
import { type ClientOptions, createServiceClient, type ServiceClient } from "../client/client.js";
import { serve } from "../service/serve.js";

const policy = { createUser: {}, getUser: { timeoutMs: 5_000 }, listUsers: {}, createUsers: {}, chat: {} };

/** A service without data, as a process of its own: it asks the one at NEXT_URL for users whose id begins with "next ". */
await serve({
  spec: {
    service: UserService,
    name: "users",
    policy,
    codecs: [],
    entities: {},
    peers: {
      next: { name: "next", connect: (options: ClientOptions) => createServiceClient(UserService, policy, options) },
    },
    standard: {},
  },
  sagas: {},
  implement: (service) => {
    const { next } = service as { next: ServiceClient<typeof Service> };
    return {
      getUser: ({ id }: { id: string }, context: Context) =>
        id.startsWith("next ") ? next.getUser({ id: id.slice(5) }, context) : { id },
      async *listUsers() {
        yield { id: "first" };
      },
      createUser: () => ({}),
      createUsers: () => ({}),
      async *chat() {},
    };
  },
});
