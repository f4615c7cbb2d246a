/** Bounds of the pauses between attempts, in milliseconds. */
export interface BackoffRange {
  readonly firstMs: number;
  readonly maxMs: number;
  /** By how much each bound is above the one before. */
  readonly growth: number;
}

/** An edge that cannot be reached: soon again, then ever more rarely. */
export const UNREACHABLE: BackoffRange = { firstMs: 250, maxMs: 30_000, growth: 2 };
/**
 * The same while streams wait for it. They wait longer than the network is away, on average by six
 * tenths of what a bound grows by: so by a sixteenth, at the price of seventy attempts up to the longest.
 */
export const AWAITED: BackoffRange = { firstMs: 50, maxMs: 30_000, growth: 1.1 };
/** An edge that answered and refused us will not think better of it by itself. */
const REFUSED: BackoffRange = { firstMs: 30_000, maxMs: 120_000, growth: 2 };

/**
 * For an edge that has refused us or cannot be reached, while streams wait for it or none does. Where
 * they do, it may be a box on the way that refuses us in its place, and not for long.
 */
export function rangeOf(state: { isRefused: boolean; isAwaited: boolean }): BackoffRange {
  if (state.isRefused) return state.isAwaited ? UNREACHABLE : REFUSED;
  return state.isAwaited ? AWAITED : UNREACHABLE;
}

/** Exponential backoff with full jitter, so that many agents do not come back all at once. */
export class Backoff {
  readonly #random: () => number;
  #attempts = 0;

  /** `random` gives numbers from 0 up to 1, 1 excluded. */
  constructor(random: () => number) {
    this.#random = random;
  }

  /** How long to wait before the next attempt; at least a tenth of the bound, never nothing. */
  nextMs({ firstMs, maxMs, growth }: BackoffRange): number {
    const bound = Math.min(maxMs, firstMs * growth ** Math.min(this.#attempts++, 100));
    return bound * (0.1 + 0.9 * this.#random());
  }

  /** An attempt succeeded. */
  reset(): void {
    this.#attempts = 0;
  }
}
