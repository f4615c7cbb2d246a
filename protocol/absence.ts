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
  readonly #cancels: Cancel[];

  /** Looks at once and then each second, until end(), or after so many milliseconds over(). */
  constructor(clock: Clock, limitMs: number, { look, over }: AbsenceActions) {
    let cancelLook: Cancel = () => {};
    const lookOn = (): void => {
      look();
      cancelLook = clock.after(LOOK_MS, lookOn);
    };
    const cancelOver = clock.after(limitMs, () => {
      cancelLook();
      over();
    });
    this.#cancels = [() => cancelLook(), cancelOver];
    lookOn();
  }

  end(): void {
    for (const cancel of this.#cancels) cancel();
  }
}
