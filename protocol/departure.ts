import type { Clock } from "./clock.ts";

/** Who leaves within this time after the last departure is one of many. */
const BUSY_MS = 1;

/**
 * When what waits to be sent goes out: at the end of the turn that brought it. Where each event is a
 * turn of its own, as on Workers, small things of a busy carrier wait for those of other events: a
 * message of its own for each would cost both ends more than what it says.
 */
export class Departure {
  readonly #clock: Clock;
  readonly #depart: () => void;
  #isDue = false;
  #isGathering = false;
  #departedAt = -Infinity;

  constructor(clock: Clock, depart: () => void) {
    this.#clock = clock;
    this.#depart = depart;
  }

  /** At the end of this turn. */
  soon(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    this.#clock.defer(() => {
      this.#isDue = false;
      this.#go();
    });
  }

  /** The same, or a moment later with others. */
  together(): void {
    const { gather } = this.#clock;
    if (this.#isDue || this.#isGathering) return;
    if (!gather || this.#clock.now() - this.#departedAt >= BUSY_MS) return this.soon();
    this.#isGathering = true;
    gather(() => {
      this.#isGathering = false;
      this.#go();
    });
  }

  #go(): void {
    if (this.#clock.gather) this.#departedAt = this.#clock.now();
    this.#depart();
  }
}
