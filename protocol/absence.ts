import type { Cancel, Clock } from "./clock.ts";

/** How often a session looks at what it holds meanwhile: its streams go on taking what comes to them. */
const LOOK_MS = 1000;

export interface AbsenceActions {
  readonly look: () => void;
  /** It has taken too long. */
  readonly over: () => void;
}

/** The time that a session is without a carrier. */
export class Absence {
  readonly #clock: Clock;
  readonly #look: () => void;
  readonly #cancelOver: Cancel;
  #cancelLook: Cancel = () => {};

  /** Looks at once and then each second, until end(), or after so many milliseconds over(). */
  constructor(clock: Clock, limitMs: number, { look, over }: AbsenceActions) {
    this.#clock = clock;
    this.#look = look;
    this.#cancelOver = clock.after(limitMs, () => {
      this.#cancelLook();
      over();
    });
    this.#lookOn();
  }

  end(): void {
    this.#cancelLook();
    this.#cancelOver();
  }

  #lookOn(): void {
    this.#look();
    this.#cancelLook = this.#clock.after(LOOK_MS, () => this.#lookOn());
  }
}
