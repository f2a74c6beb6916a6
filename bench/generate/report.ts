import { median } from "../rounds.js";
import type { Figures, Sample, Subject } from "./measure.js";

/** The results as a page: medians, their spread, the goals, and how each grows. */
export function report(all: readonly Figures[], { machine, rounds }: { machine: string; rounds: number }): string {
  const rows = all.flatMap((figures) => lines(figures).map((cells) => `| ${cells.join(" | ")} |`));
  return `# Generation

\`npm run bench -- generate\`: ${rounds} rounds, everything in turn in each; the median, and from the lowest to the highest. The tool runs
from JavaScript as the published package has it, a process of its own each time. \`alone\` is \`buf generate\` with protoc-gen-es in one process, on the same
files. Each service has 2 entities, 10 methods, 8 routes, and calls 2 others. Processor time includes all children; memory is the sum of
every process's own peak.

${machine}.

| services | what | ms | from–to | processor ms | memory MiB | goal | ratio or difference |
| ---: | --- | ---: | ---: | ---: | ---: | --- | --- |
${rows.join("\n")}

## Growth

${growth(all)}
`;
}

const names: Readonly<Record<Subject, string>> = {
  alone: "alone: buf generate with protoc-gen-es",
  cold: "scaffold generate, from nothing",
  build: "buf build",
  unchanged: "scaffold generate, nothing changed",
  changed: "scaffold generate, one file changed",
};

function lines({ size, samples, memory }: Figures): string[][] {
  return (Object.keys(names) as Subject[]).map((subject) => {
    const walls = samples[subject].map(({ wall }) => wall);
    return [
      String(size),
      names[subject],
      ms(median(walls)),
      `${ms(Math.min(...walls))}–${ms(Math.max(...walls))}`,
      ms(median(samples[subject].map(({ cpu }) => cpu))),
      ms(memory[subject]),
      ...against(subject, samples),
    ];
  });
}

/** Medians of what was paired within each round. */
function against(subject: Subject, samples: Figures["samples"]): [goal: string, reached: string] {
  if (subject === "cold") {
    const ratio = (of: (sample: Sample) => number) =>
      median(samples.cold.map((sample, round) => of(sample) / of(samples.alone[round]!))).toFixed(2);
    return ["≤ 1.5 × alone", `${ratio(({ wall }) => wall)} × (processor ${ratio(({ cpu }) => cpu)} ×)`];
  }
  if (subject === "unchanged") {
    const more = median(samples.unchanged.map(({ wall }, round) => wall - samples.build[round]!.wall));
    return ["≤ buf build + 150 ms", `${more < 0 ? "−" : "+"} ${ms(Math.abs(more))} ms`];
  }
  return ["", ""];
}

function growth(all: readonly Figures[]): string {
  const [first, last] = [all[0], all.at(-1)];
  if (first === undefined || last === undefined || first === last) return "One size only.";
  const head = `From ${first.size} to ${last.size} services (${last.size / first.size} times as many):`;
  const parts = (Object.keys(names) as Subject[]).map((subject) => {
    const wall = (figures: Figures) => median(figures.samples[subject].map((sample) => sample.wall));
    const time = (wall(last) / wall(first)).toFixed(1);
    return `* ${names[subject]}: ${time} times the time, ${(last.memory[subject] / first.memory[subject]).toFixed(1)} times the memory`;
  });
  return `${head}\n\n${parts.join("\n")}`;
}

function ms(value: number): string {
  return Math.round(value).toLocaleString("en");
}
