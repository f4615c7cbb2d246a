import type { Clock } from "./clock.ts";
import type { Link } from "./link.ts";
import type { Session } from "./session.ts";

/** Whether carriers outlived a change of the network: those are in doubt that were silent since. */
export class Doubt {
  readonly #clock: Clock;
  #since = -Infinity;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  raise(): void {
    this.#since = this.#clock.now();
  }

  /** The links of a session that are in doubt; none where another could not go on for them. */
  silent(session: Session): Link[] {
    const silentMs = this.#clock.now() - this.#since;
    if (silentMs === Infinity || !session.isResumable) return [];
    return session.carriers.live.filter((link) => link.silentMs > silentMs);
  }

  /** A carrier is there that was dialled since: those that did not answer in that time are lost. */
  settle(session: Session): void {
    const lost = this.silent(session);
    this.#since = -Infinity;
    for (const link of lost) link.lose("The network has changed");
  }
}
