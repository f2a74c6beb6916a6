/** An event on its way: a CloudEvent in binary mode (CloudEvents 1.0.2), its attributes beside its bytes. */
export interface EventRecord {
  readonly topic: string;
  /** Events of one topic that share a key are handled in their order. Empty: this one stands for itself. */
  readonly key: string;
  /**
   * CloudEvents attributes and extensions by their plain names: `id`, `source`, `type`, `time`, `datacontenttype`,
   * `dataschema`, `traceparent`, …; `sequence` is its place among all that its source publishes, `topicnumber` among those
   * of its topic, without gaps. Each broker writes them as CloudEvents' binding for its protocol says.
   */
  readonly attributes: Readonly<Record<string, string>>;
  /** The message, in protobuf's binary form. */
  readonly payload: Uint8Array;
}

/** An event as a broker hands it to a group. */
export interface ReceivedRecord extends EventRecord {
  /** Which part of its topic it came from, from 0 on. */
  readonly partition: number;
  /** Where it is in its broker, for people: "3/1042" is the 1042nd of partition 3. */
  readonly position: string;
  /** Whether the broker says that it may have handed it out before. */
  readonly redelivered: boolean;
}
