/** The kinds of exchange that AMQP 0-9-1 has. */
export const exchangeTypes = ["topic", "direct", "fanout", "headers"] as const;

export type ExchangeType = (typeof exchangeTypes)[number];

/** What a broker's URL says. */
export interface RabbitmqSettings {
  /** The URL without what is ours in it. */
  readonly url: string;
  /** `exchange`: the type of the exchanges that are published to. Default: topic. */
  readonly type: ExchangeType;
  /** `exchange_name`: one exchange for all topics. Default: each has one of its own name. */
  readonly name?: string;
}

/**
 * Reads `amqp://user:password@host:port/vhost?exchange=topic&exchange_name=company.events`.
 *
 * @throws TypeError if it is no such URL
 */
export function readSettings(text: string): RabbitmqSettings {
  const url = new URL(text);
  if (url.protocol !== "amqp:" && url.protocol !== "amqps:") {
    throw new TypeError(`a RabbitMQ's URL begins with amqp:// or amqps://, not ${url.protocol}//`);
  }
  const type = url.searchParams.get("exchange") ?? "topic";
  if (!isExchangeType(type)) {
    throw new TypeError(`exchange is ${JSON.stringify(type)}: it must be one of ${exchangeTypes.join(", ")}`);
  }
  const name = url.searchParams.get("exchange_name") ?? undefined;
  if (name === "") throw new TypeError("exchange_name is empty: the exchange of that name takes no bindings");
  url.searchParams.delete("exchange");
  url.searchParams.delete("exchange_name");
  return { url: url.href, type, name };
}

function isExchangeType(text: string): text is ExchangeType {
  return (exchangeTypes as readonly string[]).includes(text);
}
