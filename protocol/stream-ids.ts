interface Range {
  readonly from: number;
  readonly to: number;
}

/**
 * Which stream ids have been used. Agents count up, but an OPEN on a slow carrier comes behind those
 * on a fast one, or after a loss: so ids that were passed over stay free, up to `maxGaps` ranges.
 */
export class StreamIds {
  readonly #maxGaps: number;
  /** Ids below `#last` that are not used yet, in order. */
  readonly #gaps: Range[] = [];
  #last = 0;

  /** With 0 gaps ids must climb. */
  constructor(maxGaps: number) {
    this.#maxGaps = maxGaps;
  }

  isUsed(id: number): boolean {
    return id <= this.#last && !this.#gaps.some(({ from, to }) => from <= id && id <= to);
  }

  /** Uses an id; false when that was done before. */
  use(id: number): boolean {
    if (id > this.#last) {
      if (id > this.#last + 1) this.#gaps.push({ from: this.#last + 1, to: id - 1 });
      this.#last = id;
      this.#limit();
      return true;
    }
    const at = this.#gaps.findIndex(({ from, to }) => from <= id && id <= to);
    const gap = this.#gaps[at];
    if (!gap) return false;
    const rest = [
      { from: gap.from, to: id - 1 },
      { from: id + 1, to: gap.to },
    ];
    this.#gaps.splice(at, 1, ...rest.filter(({ from, to }) => from <= to));
    this.#limit();
    return true;
  }

  /** The oldest gap counts as used: whoever leaves so many is no agent that counts up. */
  #limit(): void {
    if (this.#gaps.length > this.#maxGaps) this.#gaps.shift();
  }
}
