import type { BaseOptions, Consumer, GroupPartitionsAssigner } from "@platformatic/kafka";
import { guarded, type Kafka } from "./client.js";

/** What is held by a member that says nothing for so long goes to others. */
const SESSION_MS = 15_000;
/** How long the others are waited for when the group divides the partitions anew. */
const REBALANCE_MS = 20_000;
const HEARTBEAT_MS = 1000;

export type MemberOptions = BaseOptions & { readonly groupId: string };

/**
 * A member of a consumer group (the classic protocol, eager): whenever the group changes, everybody gives all partitions
 * back before they are divided anew.
 *
 * @param giveBack ends what is under way. The library asks to be let in again at once when it hears that the group has
 *   changed; here it waits for this first, so that partitions go over with all of their offsets
 */
export function createMember(kafka: Kafka, options: MemberOptions, giveBack: () => Promise<void>): Consumer {
  const member = new kafka.Consumer<Buffer, Buffer, Buffer, Buffer>({
    ...options,
    sessionTimeout: SESSION_MS,
    rebalanceTimeout: REBALANCE_MS,
    heartbeatInterval: HEARTBEAT_MS,
    // The answer to a request to join comes when the group is complete.
    requestTimeout: REBALANCE_MS + 5000,
    // Not "roundrobin", which others take to be without regard to who subscribes to what.
    protocols: [{ name: "scaffold", version: 0 }],
    partitionAssigner: assignPartitions,
  });
  const perform = member[kafka.kPerformDeduplicated].bind(member);
  member[kafka.kPerformDeduplicated] = (name, operation, callback) => {
    if (name !== "joinGroup") return perform(name, operation, callback);
    void giveBack().then(() => void perform(name, operation, callback));
  };
  return guarded(kafka, member);
}

/** Ends a membership without a word to the group, which goes on for whoever comes back with its id. */
export async function abandon(member: Consumer): Promise<void> {
  // With an id the library would say goodbye, and not end before it is answered.
  member.memberId = null;
  await member.leaveGroup(true);
  await member.close(true);
}

/** Each partition goes to the one that has the fewest yet, of those who subscribe to its topic. */
const assignPartitions: GroupPartitionsAssigner = (_leader, members, _topics, { topics }) => {
  const shares = [...members.values()]
    .sort((a, b) => (a.memberId < b.memberId ? -1 : 1))
    .map(({ memberId, topics = [] }) => ({
      memberId,
      topics: new Set(topics),
      assigned: new Map<string, number[]>(),
      size: 0,
    }));
  for (const name of [...topics.keys()].sort()) {
    const subscribed = shares.filter((share) => share.topics.has(name));
    for (const partition of topics.get(name)!.partitions.keys()) {
      const least = subscribed.reduce((a, b) => (b.size < a.size ? b : a));
      least.assigned.set(name, [...(least.assigned.get(name) ?? []), partition]);
      least.size++;
    }
  }
  return shares.map(({ memberId, assigned }) => ({
    memberId,
    assignments: new Map([...assigned].map(([topic, partitions]) => [topic, { topic, partitions }])),
  }));
};
