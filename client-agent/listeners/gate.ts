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
export class Visit {
  /** Whether the list lets it in; a client that it refuses need not be asked for its password. */
  readonly isAllowed: boolean;
  readonly #host: string;
  readonly #crowd: Crowd;
  readonly #stopWaiting: () => void;
  #goOut: (() => void) | undefined;
  #isRefused = false;
  #isCrowdedOut = false;

  constructor(
    host: string,
    isAllowed: boolean,
    { waitingRoom, crowd }: { waitingRoom: WaitingRoom; crowd: Crowd },
    crowdOut: () => void,
  ) {
    this.#host = host;
    this.isAllowed = isAllowed;
    this.#crowd = crowd;
    this.#stopWaiting = waitingRoom.take(host, () => {
      this.#isCrowdedOut = true;
      crowdOut();
    });
  }

  /** Whether enter() has said that it is not served. */
  get isRefused(): boolean {
    return this.#isRefused;
  }

  get isCrowdedOut(): boolean {
    return this.#isCrowdedOut;
  }

  /** The client has made its request. Gives why it is not served; undefined when it is. */
  enter(): FailureReason | undefined {
    this.#stopWaiting();
    if (this.#goOut) return undefined;
    if (this.isAllowed) this.#goOut = this.#crowd.enter(this.#host);
    this.#isRefused = this.#goOut === undefined;
    if (this.#goOut) return undefined;
    return this.isAllowed ? "general" : "denied";
  }

  /** The client has gone. */
  leave(): void {
    this.#stopWaiting();
    this.#goOut?.();
    this.#goOut = undefined;
  }
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
    const places = { waitingRoom: this.#waitingRoom, crowd: this.#crowd };
    return new Visit(host, isAllowed, places, crowdOut);
  }
}

function isWithin(host: string, range: Range): boolean {
  if (!ipaddr.isValid(host)) return false;
  const address = ipaddr.parse(host);
  return address.kind() === range[0].kind() && address.match(range);
}
