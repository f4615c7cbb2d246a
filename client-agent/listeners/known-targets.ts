import { type Address, formatAddress } from "../../protocol/address.ts";
import type { Clock } from "../../protocol/clock.ts";

/** How long a connection is a reason to expect the next one. */
const MEMORY_MS = 600_000;
/** The one that connected longest ago goes first. */
const MAX_TARGETS = 4096;

/** The targets that have been connected to of late, by host and port. */
export class KnownTargets {
  readonly #clock: Clock;
  /** When each was connected to, in that order. */
  readonly #connectedAt = new Map<string, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  has(target: Address): boolean {
    const at = this.#connectedAt.get(formatAddress(target));
    return at !== undefined && this.#clock.now() - at < MEMORY_MS;
  }

  /** The target has been connected to, now. */
  add(target: Address): void {
    this.delete(target);
    this.#connectedAt.set(formatAddress(target), this.#clock.now());
    const [oldest] = this.#connectedAt.keys();
    if (oldest !== undefined && this.#connectedAt.size > MAX_TARGETS) {
      this.#connectedAt.delete(oldest);
    }
  }

  /** The target could not be connected to. */
  delete(target: Address): void {
    this.#connectedAt.delete(formatAddress(target));
  }
}
