import { type Address, formatAddress } from "../../protocol/address.ts";
import type { Cancel, Clock } from "../../protocol/clock.ts";

/** Peers that may answer, the latest of them. */
const MAX_PEERS = 1024;

interface Peer {
  readonly address: Address;
  readonly usedAt: number;
}

/**
 * Whom an association has sent to, and so who may answer: by address and port (RFC 4787 section
 * 5). A peer is in use for `idleTimeoutMs` after the last datagram to it or from it.
 */
export class Peers {
  readonly #clock: Clock;
  readonly #idleTimeoutMs: number;
  readonly #forgotten: (peer: Address) => void;
  /** In the order of last use. */
  readonly #peers = new Map<string, Peer>();
  #cancelTimer: Cancel | undefined;

  constructor(clock: Clock, idleTimeoutMs: number, forgotten: (peer: Address) => void) {
    this.#clock = clock;
    this.#idleTimeoutMs = idleTimeoutMs;
    this.#forgotten = forgotten;
  }

  some(test: (peer: Address) => boolean): boolean {
    for (const { address } of this.#peers.values()) if (test(address)) return true;
    return false;
  }

  /** A datagram goes there. */
  use(address: Address): void {
    const key = formatAddress(address);
    // Deleted first, so that the map is in the order of last use.
    this.#peers.delete(key);
    this.#peers.set(key, { address, usedAt: this.#clock.now() });
    if (this.#peers.size > MAX_PEERS) this.#forgetOldest();
    this.#cancelTimer ??= this.#clock.after(this.#idleTimeoutMs, () => this.#expire());
  }

  /** Whether a datagram from there is let in; that is a use, too (RFC 4787 section 4.3, REQ-6). */
  admits(address: Address): boolean {
    if (!this.#peers.has(formatAddress(address))) return false;
    this.use(address);
    return true;
  }

  close(): void {
    this.#cancelTimer?.();
    this.#peers.clear();
  }

  #expire(): void {
    this.#cancelTimer = undefined;
    const now = this.#clock.now();
    for (const { usedAt } of this.#peers.values()) {
      if (usedAt + this.#idleTimeoutMs > now) {
        const restMs = usedAt + this.#idleTimeoutMs - now;
        this.#cancelTimer = this.#clock.after(restMs, () => this.#expire());
        return;
      }
      this.#forgetOldest();
    }
  }

  #forgetOldest(): void {
    const [oldest] = this.#peers;
    if (!oldest) return;
    const [key, { address }] = oldest;
    this.#peers.delete(key);
    this.#forgotten(address);
  }
}
