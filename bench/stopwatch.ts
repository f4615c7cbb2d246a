/** Adds up how long things take, by their names. One may be part of another: then it counts there alone. */
export class Stopwatch {
  readonly #totals = new Map<string, number>();
  readonly #running: string[] = [];
  #since = performance.now();

  async time<Result>(name: string, act: () => Promise<Result>): Promise<Result> {
    this.#lap();
    this.#running.push(name);
    try {
      return await act();
    } finally {
      this.#lap();
      this.#running.pop();
    }
  }

  /** What took longest first, in seconds. */
  toString(): string {
    return [...this.#totals]
      .toSorted(([, left], [, right]) => right - left)
      .map(([name, ms]) => `${name} ${(ms / 1000).toFixed(1)} s`)
      .join(", ");
  }

  #lap(): void {
    const now = performance.now();
    const name = this.#running.at(-1);
    if (name !== undefined)
      this.#totals.set(name, (this.#totals.get(name) ?? 0) + now - this.#since);
    this.#since = now;
  }
}
