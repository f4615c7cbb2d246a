import ipaddr from "ipaddr.js";
import type { FailureReason } from "../../protocol/errors.ts";
import { WaitingRoom } from "./waiting-room.ts";

/** A range of IP addresses, as ipaddr.parseCIDR() gives it. */
export type Range = [ipaddr.IPv4 | ipaddr.IPv6, number];

export interface GateSettings {
  /** Who may use the port; empty: everybody who reaches it. */
  readonly allow: readonly Range[];
  readonly maxClients: number;
  readonly maxClientsPerAddress: number;
  /** Clients that may be at their handshake at once. */
  readonly maxHandshakes: number;
}

/** A client's visit to the port. */
export interface Visit {
  /** Whether the list lets it in; a client that it refuses need not be asked for its password. */
  readonly isAllowed: boolean;
  /** Whether enter() has said that it is not served. */
  readonly isRefused: boolean;
  readonly isCrowdedOut: boolean;
  /** The client has made its request. Gives why it is not served; undefined when it is. */
  readonly enter: () => FailureReason | undefined;
  /** The client has gone. */
  readonly leave: () => void;
}

/**
 * Decides who is served at a port, and counts who is there. Clients that have not made their request
 * yet are counted apart: silent ones take no place from those that are served.
 */
export class Gate {
  readonly #settings: GateSettings;
  readonly #waitingRoom: WaitingRoom;
  readonly #countByHost = new Map<string, number>();
  #count = 0;

  constructor(settings: GateSettings) {
    this.#settings = settings;
    this.#waitingRoom = new WaitingRoom(settings.maxHandshakes);
  }

  /** A client from the IP address `host` begins its handshake; `crowdOut` ends that when others come. */
  arrive(host: string, crowdOut: () => void): Visit {
    const { allow } = this.#settings;
    const isAllowed = allow.length === 0 || allow.some((range) => isWithin(host, range));
    const state = { isInside: false, isRefused: false, isCrowdedOut: false };
    const stopWaiting = this.#waitingRoom.take(host, () => {
      state.isCrowdedOut = true;
      crowdOut();
    });
    return {
      isAllowed,
      get isRefused() {
        return state.isRefused;
      },
      get isCrowdedOut() {
        return state.isCrowdedOut;
      },
      enter: () => {
        stopWaiting();
        if (state.isInside) return undefined;
        const refusal = isAllowed ? this.#fullnessFor(host) : "denied";
        state.isRefused = refusal !== undefined;
        state.isInside = refusal === undefined;
        if (state.isInside) this.#add(host, 1);
        return refusal;
      },
      leave: () => {
        stopWaiting();
        if (state.isInside) this.#add(host, -1);
        state.isInside = false;
      },
    };
  }

  #fullnessFor(host: string): FailureReason | undefined {
    const { maxClients, maxClientsPerAddress } = this.#settings;
    const isFull = this.#count >= maxClients || this.#countOf(host) >= maxClientsPerAddress;
    return isFull ? "general" : undefined;
  }

  #add(host: string, change: 1 | -1): void {
    this.#count += change;
    const count = this.#countOf(host) + change;
    if (count > 0) this.#countByHost.set(host, count);
    else this.#countByHost.delete(host);
  }

  #countOf(host: string): number {
    return this.#countByHost.get(host) ?? 0;
  }
}

function isWithin(host: string, range: Range): boolean {
  if (!ipaddr.isValid(host)) return false;
  const address = ipaddr.parse(host);
  return address.kind() === range[0].kind() && address.match(range);
}
