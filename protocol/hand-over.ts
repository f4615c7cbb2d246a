import type { Cancel, Clock } from "./clock.ts";
import type { Session } from "./session.ts";

/** What of its budget a carrier may use up before the next one is dialled. */
const SPENT_SHARE = 0.8;

/**
 * When the one carrier of a session is to be handed over, because its edge can serve it for so long,
 * so many streams or so many bytes only (PROTOCOL.md section 4.1). A session that can be resumed is
 * not handed over: its carriers end and are replaced one by one.
 */
export class HandOver {
  readonly #clock: Pick<Clock, "after">;
  readonly #due: () => void;
  #cancelAging: Cancel = () => {};
  /** The session whose time is up. */
  #aged: Session | undefined;

  /** `due` is called when the time of the session that was watched last is up. */
  constructor(clock: Pick<Clock, "after">, due: () => void) {
    this.#clock = clock;
    this.#due = due;
  }

  /** Watches the age of a session that begins, and of no other any more. */
  watch(session: Session): void {
    const { maxAge } = session.remote;
    this.stop();
    if (maxAge === 0 || session.isResumable) return;
    this.#cancelAging = this.#clock.after(maxAge * SPENT_SHARE, () => {
      this.#aged = session;
      this.#due();
    });
  }

  /** Whether most of what the edge grants is used up: the next session is due. */
  isDue(session: Session): boolean {
    if (session.isResumable) return false;
    const { maxOpens, maxBytes } = session.remote;
    const areOpensSpent = maxOpens > 0 && session.openedCount >= Math.ceil(maxOpens * SPENT_SHARE);
    const areBytesSpent = maxBytes > 0 && session.carriers.carried >= maxBytes * SPENT_SHARE;
    return areOpensSpent || areBytesSpent || session === this.#aged;
  }

  /** Whether the edge could not serve one stream more. */
  isUsedUp(session: Session): boolean {
    const { maxOpens } = session.remote;
    return !session.isResumable && maxOpens > 0 && session.openedCount >= maxOpens;
  }

  stop(): void {
    this.#cancelAging();
    this.#aged = undefined;
  }
}
