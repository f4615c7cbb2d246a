import type { Clock } from "../protocol/clock.ts";
import { Crowd } from "../protocol/crowd.ts";
import type { Log } from "../protocol/log.ts";
import {
  type FieldOf,
  type Origin,
  originOf,
  placeOfAddress,
  type TrustedProxies,
} from "./forwarded.ts";

export interface GuardSettings {
  readonly maxConnections: number;
  readonly maxConnectionsPerAddress: number;
  readonly proxies: TrustedProxies;
}

export interface GuardOptions extends GuardSettings {
  readonly clock: Clock;
  readonly log: Log;
}

/** Refusals are told of once in this time, however many there are. */
const WARN_EVERY_MS = 60_000;

/**
 * Bounds how much of an edge one address can take. Connections count by the address they come from;
 * behind a trusted proxy, whose connections serve many, carriers count by the address it names.
 */
export class ClientGuard {
  readonly #options: GuardOptions;
  readonly #connections: Crowd;
  readonly #forwarded: Crowd;
  #refused = 0;
  #warnedAt = -Infinity;

  constructor(options: GuardOptions) {
    this.#options = options;
    const { maxConnections: max, maxConnectionsPerAddress: maxPerPlace } = options;
    this.#connections = new Crowd({ max, maxPerPlace });
    this.#forwarded = new Crowd({ max, maxPerPlace });
  }

  /** Connections that are open. */
  get count(): number {
    return this.#connections.count;
  }

  /** Connections and carriers that found no room. */
  get refused(): number {
    return this.#refused;
  }

  /** Takes a connection of `peer`, undefined for a Unix socket; undefined when there is no room. */
  connected(peer: string | undefined): (() => void) | undefined {
    const { address, isForwarded } = this.originOf(peer, () => undefined);
    return this.#enter(this.#connections, isForwarded ? undefined : address);
  }

  /** Takes a carrier of this origin; undefined when there is no room. */
  admitted({ address, isForwarded }: Origin): (() => void) | undefined {
    return isForwarded ? this.#enter(this.#forwarded, address) : () => {};
  }

  /** Who is behind a request of `peer`. */
  originOf(peer: string | undefined, fieldOf: FieldOf): Origin {
    return originOf(peer, fieldOf, this.#options.proxies);
  }

  #enter(crowd: Crowd, address: string | undefined): (() => void) | undefined {
    const leave = crowd.enter(placeOfAddress(address));
    if (!leave) this.#countRefusal();
    return leave;
  }

  #countRefusal(): void {
    const { clock, log } = this.#options;
    this.#refused++;
    if (clock.now() - this.#warnedAt < WARN_EVERY_MS) return;
    this.#warnedAt = clock.now();
    log.warn("Connections are refused: the edge, or one address, has as many as it may", {
      connections: this.count,
      refused: this.#refused,
    });
  }
}
