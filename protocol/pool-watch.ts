import type { Cancel, Clock } from "./clock.ts";

/** While something moves, or is to go. */
const SOON_MS = 1000;
/** While there are streams at rest, which may begin to move at any time. */
const LATER_MS = 10_000;

/** When to look again. */
export type NextLook = "soon" | "later" | "never";

/**
 * Looks at the carriers from time to time, for as long as they have streams: an agent at rest has no
 * timer for it. Whoever opens a stream rouses it.
 */
export class PoolWatch {
  readonly #clock: Pick<Clock, "after">;
  readonly #begin: () => void;
  readonly #look: () => NextLook;
  #next: NextLook = "never";
  #cancel: Cancel = () => {};

  /** `begin` sees how things are before the first of several looks, which tell by how much they differ. */
  constructor(clock: Pick<Clock, "after">, begin: () => void, look: () => NextLook) {
    this.#clock = clock;
    this.#begin = begin;
    this.#look = look;
  }

  rouse(): void {
    if (this.#next === "soon") return;
    this.#begin();
    this.#schedule("soon");
  }

  stop(): void {
    this.#schedule("never");
  }

  #schedule(next: NextLook): void {
    this.#cancel();
    this.#next = next;
    if (next === "never") return;
    const delayMs = next === "soon" ? SOON_MS : LATER_MS;
    this.#cancel = this.#clock.after(delayMs, () => this.#schedule(this.#look()));
  }
}
