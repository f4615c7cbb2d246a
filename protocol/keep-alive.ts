import { ByteReader, ByteWriter } from "./bytes.ts";
import type { Cancel, Clock } from "./clock.ts";
import { ProtocolError } from "./errors.ts";

/** Boxes on the way cut idle connections after about 100 s; workerd's own front after that, too. */
export const PING_INTERVAL_MS = 30_000;
/** Missed in a row before a carrier counts as dead. */
const MISSED_PINGS = 2;

export interface KeepAliveActions {
  /** The agent pings; the edge only listens, as each ping to a Durable Object is billed. */
  readonly pings: boolean;
  readonly ping: (stamp: Uint8Array) => void;
  readonly dead: (silentMs: number) => void;
}

/** Notices that a carrier is dead, and measures its round trip (PROTOCOL.md section 4.2). */
export class KeepAlive {
  readonly #clock: Clock;
  readonly #actions: KeepAliveActions;
  #lastHeard: number;
  #cancel: Cancel = () => {};
  #roundTripMs: number | undefined;

  constructor(clock: Clock, actions: KeepAliveActions) {
    this.#clock = clock;
    this.#actions = actions;
    this.#lastHeard = clock.now();
    this.#schedule();
  }

  get roundTripMs(): number | undefined {
    return this.#roundTripMs;
  }

  /** Anything at all arrived. */
  heard(): void {
    this.#lastHeard = this.#clock.now();
  }

  /** A PONG arrived with the stamp that we sent: the time of the PING in microseconds. */
  answered(stamp: Uint8Array): void {
    const elapsedMs = this.#clock.now() - new ByteReader(stamp).u64() / 1000;
    if (elapsedMs < 0) throw new ProtocolError("ERR_FRAME_FIELD", "Cannot take PONG: never sent");
    this.#roundTripMs = elapsedMs;
  }

  stop(): void {
    this.#cancel();
  }

  #schedule(): void {
    this.#cancel = this.#clock.after(PING_INTERVAL_MS, () => this.#tick());
  }

  #tick(): void {
    const silentMs = this.#clock.now() - this.#lastHeard;
    // Half an interval more: the last answer came a round trip after its ping.
    if (silentMs >= PING_INTERVAL_MS * (MISSED_PINGS + 0.5)) return this.#actions.dead(silentMs);
    this.#schedule();
    if (!this.#actions.pings) return;
    const stamp = new ByteWriter().u64(Math.floor(this.#clock.now() * 1000));
    this.#actions.ping(stamp.take());
  }
}
