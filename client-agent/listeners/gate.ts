import ipaddr from "ipaddr.js";
import { Crowd } from "../../protocol/crowd.ts";
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
  readonly #crowd: Crowd;

  constructor(settings: GateSettings) {
    this.#settings = settings;
    this.#waitingRoom = new WaitingRoom(settings.maxHandshakes);
    this.#crowd = new Crowd({
      max: settings.maxClients,
      maxPerPlace: settings.maxClientsPerAddress,
    });
  }

  /** A client from the IP address `host` begins its handshake; `crowdOut` ends that when others come. */
  arrive(host: string, crowdOut: () => void): Visit {
    const { allow } = this.#settings;
    const isAllowed = allow.length === 0 || allow.some((range) => isWithin(host, range));
    const state = { isRefused: false, isCrowdedOut: false };
    let goOut: (() => void) | undefined;
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
        if (goOut) return undefined;
        if (isAllowed) goOut = this.#crowd.enter(host);
        state.isRefused = goOut === undefined;
        if (goOut) return undefined;
        return isAllowed ? "general" : "denied";
      },
      leave: () => {
        stopWaiting();
        goOut?.();
        goOut = undefined;
      },
    };
  }
}

function isWithin(host: string, range: Range): boolean {
  if (!ipaddr.isValid(host)) return false;
  const address = ipaddr.parse(host);
  return address.kind() === range[0].kind() && address.match(range);
}
