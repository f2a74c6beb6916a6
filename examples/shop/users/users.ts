import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampNow } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import type { Transaction } from "@protoscaffold/runtime/data";
import { userRegistered } from "@shop/generated/shop/users/v1/users_events.js";
import type { ChatRequest, ChatResponseSchema, User } from "@shop/generated/shop/users/v1/users_pb.js";
import {
  type UserServiceEntities,
  type UserServiceEvents,
  userService,
} from "@shop/generated/shop/users/v1/users_service.js";
import { Rooms, type Seat } from "./room.js";

const MAX_USERS_PER_CALL = 1000;

export const users = userService({
  handlers: (service) => {
    const rooms = new Rooms<MessageInitShape<typeof ChatResponseSchema>>();

    return {
      createUser({ user }, context) {
        return service.once(context, (tx) => register(tx, user));
      },

      listUsers() {
        return service.users.all();
      },

      async createUsers(requests, context) {
        const wanted: User[] = [];
        for await (const { user } of requests) {
          if (wanted.length === MAX_USERS_PER_CALL) {
            throw new ConnectError(
              `more than ${MAX_USERS_PER_CALL} users in one call: send several`,
              Code.ResourceExhausted,
            );
          }
          if (user !== undefined) wanted.push(user);
        }
        return service.transaction(context, async (tx) => {
          const created = [];
          for (const user of wanted) created.push(await register(tx, user));
          return { users: created };
        });
      },

      async *chat(requests, context) {
        const incoming = requests[Symbol.asyncIterator]();
        const first = await incoming.next();
        if (first.done) return;
        const seat = rooms.join(first.value.room);
        const leave = () => seat.end();
        context.signal.addEventListener("abort", leave, { once: true });
        try {
          say(seat, first.value);
          listen(incoming, seat);
          yield* seat;
        } finally {
          context.signal.removeEventListener("abort", leave);
          seat.leave();
        }
      },
    };
  },
});

/** Creates a user and publishes UserRegistered. */
async function register(
  tx: Transaction<UserServiceEntities, UserServiceEvents>,
  user: User | undefined,
): Promise<User> {
  const created = await tx.users.create({ email: user?.email, displayName: user?.displayName });
  const { id: userId, email, displayName, createTime: registerTime } = created;
  await tx.publish(userRegistered, { userId, email, displayName, registerTime });
  return created;
}

/** Repeats incoming messages to the room, while the handler already sends responses. */
async function listen(incoming: AsyncIterator<ChatRequest>, seat: Seat<MessageInitShape<typeof ChatResponseSchema>>) {
  try {
    for (let next = await incoming.next(); !next.done; next = await incoming.next()) say(seat, next.value);
    seat.end();
  } catch (failure) {
    seat.end(failure);
  }
}

function say(seat: Seat<MessageInitShape<typeof ChatResponseSchema>>, { author, text }: ChatRequest): void {
  if (text !== "") seat.say({ author, text, sendTime: timestampNow() });
}
