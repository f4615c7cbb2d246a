import ipaddr from "ipaddr.js";
import { type FailureReason } from "../../protocol/errors.ts";

/** A range of IP addresses, as ipaddr.parseCIDR() gives it. */
export type Range = [ipaddr.IPv4 | ipaddr.IPv6, number];

export interface GateSettings {
  /** Who may use the port; empty: everybody who reaches it. */
  readonly allow: readonly Range[];
  readonly maxClients: number;
  readonly maxClientsPerAddress: number;
}

/** A client that is inside, until it leaves. */
export interface Entry {
  /** What to answer its request with; undefined for a client that is served. */
  readonly refusal: FailureReason | undefined;
  readonly leave: () => void;
}

/** Decides who is served at a port, and counts who is there. */
export class Gate {
  readonly #settings: GateSettings;
  readonly #countByHost = new Map<string, number>();
  #count = 0;

  constructor(settings: GateSettings) {
    this.#settings = settings;
  }

  /** Lets a client from the IP address `host` in. Who is refused takes no place from anybody. */
  enter(host: string): Entry {
    const refusal = this.#refusalOf(host);
    if (refusal !== undefined) return { refusal, leave: () => {} };
    this.#count++;
    this.#countByHost.set(host, this.#countOf(host) + 1);
    let isInside = true;
    return {
      refusal,
      leave: () => {
        if (!isInside) return;
        isInside = false;
        this.#count--;
        const left = this.#countOf(host) - 1;
        if (left > 0) this.#countByHost.set(host, left);
        else this.#countByHost.delete(host);
      },
    };
  }

  #refusalOf(host: string): FailureReason | undefined {
    const { allow, maxClients, maxClientsPerAddress } = this.#settings;
    if (allow.length > 0 && !allow.some((range) => isWithin(host, range))) return "denied";
    const isFull = this.#count >= maxClients || this.#countOf(host) >= maxClientsPerAddress;
    return isFull ? "general" : undefined;
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
