import type { Clock } from "../../../protocol/clock.ts";
import { FIRST_CHANNEL, LAST_CHANNEL } from "./turn-framing.ts";

/**
 * RFC 8656 section 12: a binding lasts 10 minutes from its last refresh, and for 5 more neither the
 * peer may get another number, nor the number another peer.
 */
const RESERVED_MS = 15 * 60_000;

interface Reservation {
  readonly channel: number;
  readonly until: number;
}

/** Which channel number belongs to which peer of an allocation. */
export class ChannelNumbers {
  readonly #clock: Clock;
  /** In the order of their end. */
  readonly #byPeer = new Map<string, Reservation>();
  #next = FIRST_CHANNEL;
  readonly #free: number[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The peer's number, for a binding that is asked for now; undefined when all are in use. */
  reserve(peer: string): number | undefined {
    this.#expire();
    const channel = this.#byPeer.get(peer)?.channel ?? this.#take();
    if (channel === undefined) return undefined;
    this.#byPeer.delete(peer);
    this.#byPeer.set(peer, { channel, until: this.#clock.now() + RESERVED_MS });
    return channel;
  }

  #take(): number | undefined {
    const used = this.#free.shift();
    if (used !== undefined) return used;
    return this.#next > LAST_CHANNEL ? undefined : this.#next++;
  }

  #expire(): void {
    const now = this.#clock.now();
    for (const [peer, { channel, until }] of this.#byPeer) {
      if (until > now) return;
      this.#byPeer.delete(peer);
      this.#free.push(channel);
    }
  }
}
