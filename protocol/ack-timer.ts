import type { Cancel, Clock } from "./clock.ts";

/** How late the ACK of a frame may be: its absence tells the sender of a dead carrier. */
const DELAY_MS = 2000;
/** And that of so many bytes: the sender measures by ACKs how much it may have in flight. */
const BUSY_BYTES = 16_384;
const BUSY_DELAY_MS = 25;

/**
 * Sees to it that an ACK comes in time though little has arrived. On a slow way through the network
 * 192 KiB may take seconds: a sender that had to have so much in flight would make a queue of it,
 * in which a keystroke waits.
 */
export class AckTimer {
  readonly #clock: Clock;
  readonly #due: () => void;
  #cancel: Cancel | undefined;
  #cancelBusy: Cancel | undefined;

  constructor(clock: Clock, due: () => void) {
    this.#clock = clock;
    this.#due = due;
  }

  /** A frame has come. Whether or not an ACK goes meanwhile, `due` is called once for all of its time. */
  frame(): void {
    this.#cancel ??= this.#clock.after(DELAY_MS, () => {
      this.#cancel = undefined;
      this.#due();
    });
  }

  /** There are so many bytes that no ACK has told of. */
  payload(unacknowledged: number): void {
    if (unacknowledged < BUSY_BYTES) return;
    this.#cancelBusy ??= this.#clock.after(BUSY_DELAY_MS, () => {
      this.#cancelBusy = undefined;
      this.#due();
    });
  }

  stop(): void {
    this.#cancel?.();
    this.#cancelBusy?.();
  }
}
