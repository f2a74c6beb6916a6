/** How finely times are told apart, in milliseconds. */
const STEP = 0.01;
/** Longer than this is as long as this, in milliseconds. */
const LONGEST = 10_000;

/** How long calls took: counted, so that to remember one more takes no memory, and no garbage collector in what is measured. */
export class Times {
  readonly #counts = new Uint32Array(LONGEST / STEP);
  #count = 0;

  add(milliseconds: number): void {
    this.#counts[Math.min(this.#counts.length - 1, Math.floor(milliseconds / STEP))]!++;
    this.#count++;
  }

  /** What this share of them took at most, in milliseconds; 0 if there are none. */
  at(share: number): number {
    if (this.#count === 0) return 0;
    let left = Math.ceil(this.#count * share);
    let step = 0;
    while (left > 0) left -= this.#counts[step++]!;
    return step * STEP;
  }
}
