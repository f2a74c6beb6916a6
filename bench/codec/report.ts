import { type Cost, median, ratio } from "../rounds.js";

export interface Results {
  /** What each subject cost, by what was to be done; the first of each is protobuf-es. */
  readonly groups: Readonly<Record<string, Readonly<Record<string, readonly Cost[]>>>>;
  /** Of the message, in bytes. */
  readonly size: number;
  readonly rounds: number;
  readonly machine: string;
}

/** The results as a page. */
export function report({ groups, size, rounds, machine }: Results): string {
  const parts = Object.entries(groups).map(([group, subjects]) => {
    const [standard = []] = Object.values(subjects);
    const peer = subjects["protobufjs, static code"];
    const rows = Object.entries(subjects).map(([name, costs]) =>
      [name, nanoseconds(costs), times(costs, standard), peer === undefined ? "" : times(costs, peer)].join(" | "),
    );
    return `## To ${group}

| with | ns each | × protobuf-es | × protobufjs |
| --- | ---: | ---: | ---: |
${rows.map((row) => `| ${row} |`).join("\n")}`;
  });
  return `# Codecs

\`npm run bench -- codec\`: an Order of the shop with three lines, a timestamp and numbers of 64 bits, ${size} bytes. ${rounds} rounds, all in turn in
each; the median of processor time for one message, with the lowest and the highest, and the median of the ratios within the rounds: how many times as fast.
Goals: at least 12 × protobuf-es to write, 7 × to read, and no slower than protobufjs's static code.

${machine}.

${parts.join("\n\n")}
`;
}

function nanoseconds(costs: readonly Cost[]): string {
  const all = costs.map(({ cpu }) => cpu * 1000);
  return `${whole(median(all))} (${whole(Math.min(...all))}–${whole(Math.max(...all))})`;
}

function times(costs: readonly Cost[], others: readonly Cost[]): string {
  return ratio(others, costs, "cpu").toFixed(1);
}

function whole(value: number): string {
  return Math.round(value).toLocaleString("en");
}
