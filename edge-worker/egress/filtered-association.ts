import type { Address } from "../../protocol/address.ts";
import type { Clock } from "../../protocol/clock.ts";
import type { Policy } from "../policy/policy.ts";
import type { Resolver } from "./dns/resolver.ts";
import type { Association, Deliver } from "./egress.ts";
import { type Family, familyOf, type OpenOutlet, type Outlet } from "./outlet.ts";
import { Peers } from "./peers.ts";

/** Datagrams that may wait for a name to be resolved. */
const MAX_RESOLVING = 64;
/** Names whose address is kept, so that an answer's sender stays the same. */
const MAX_NAMES = 1024;

export interface FilteredAssociationOptions {
  readonly clock: Clock;
  readonly policy: Policy;
  readonly deliver: Deliver;
  readonly resolver: Pick<Resolver, "resolve">;
  /** How long a peer may be silent, and a family without peers keeps its outlet no longer. */
  readonly idleTimeoutMs: number;
  readonly openOutlet: OpenOutlet;
}

/**
 * Relays datagrams with address-and-port-dependent filtering (RFC 4787 section 5): only who was
 * sent to may answer. Whatever cannot be sent is dropped and counted, as UDP allows.
 *
 * An outlet (and with it the port that peers see) lives for as long as any peer of its family is
 * in use, and is opened again by the next datagram: so a port never changes under a session that
 * goes on, as RFC 4787 section 4.3 wants, and what has ended holds no socket.
 */
export class FilteredAssociation implements Association {
  readonly #options: FilteredAssociationOptions;
  readonly #outlets = new Map<Family, Outlet>();
  readonly #peers: Peers;
  readonly #addressByName = new Map<string, Address>();
  readonly #lookups = new Map<string, Promise<Address>>();
  #resolving = 0;
  #dropped = 0;
  #isClosed = false;

  constructor(options: FilteredAssociationOptions) {
    this.#options = options;
    this.#peers = new Peers(options.clock, options.idleTimeoutMs, (peer) => this.#forget(peer));
  }

  /** Datagrams that were not relayed, in either direction. */
  get dropped(): number {
    return this.#dropped;
  }

  send(to: Address, bytes: Uint8Array): void {
    if (this.#isClosed || to.port === 0 || !this.#allows(to)) return void this.#dropped++;
    if (to.kind !== "name") return this.#sendTo(to, bytes);
    const known = this.#addressByName.get(to.host);
    if (known) return this.#sendTo({ ...known, port: to.port }, bytes, to.host);
    if (this.#resolving >= MAX_RESOLVING) return void this.#dropped++;
    this.#resolving++;
    // The memory is the caller's.
    const copy = bytes.slice();
    this.#resolve(to)
      .then((address) => this.#sendTo({ ...address, port: to.port }, copy, to.host))
      // A name that has no allowed address: the datagram goes nowhere.
      .catch(() => this.#dropped++)
      .finally(() => this.#resolving--);
  }

  close(): void {
    this.#isClosed = true;
    this.#peers.close();
    for (const outlet of this.#outlets.values()) outlet.close();
    this.#outlets.clear();
  }

  /** Each name once for as long as there are peers, so that an answer's sender stays the same. */
  #resolve(name: Address): Promise<Address> {
    const running = this.#lookups.get(name.host);
    if (running) return running;
    const lookup = this.#options.resolver
      .resolve(name, this.#options.policy)
      .then((address) => {
        if (this.#addressByName.size < MAX_NAMES) this.#addressByName.set(name.host, address);
        return address;
      })
      .finally(() => this.#lookups.delete(name.host));
    this.#lookups.set(name.host, lookup);
    return lookup;
  }

  #allows(address: Address, name?: string): boolean {
    try {
      this.#options.policy(address, name);
      return true;
    } catch {
      return false;
    }
  }

  /** `name` is what the address comes from, if it does: rules may be about either. */
  #sendTo(to: Address, bytes: Uint8Array, name?: string): void {
    if (this.#isClosed || !this.#allows(to, name)) return void this.#dropped++;
    const outlet = this.#outletFor(familyOf(to));
    this.#peers.use(to);
    if (!outlet.send(to, bytes)) this.#dropped++;
  }

  #outletFor(family: Family): Outlet {
    const open = this.#outlets.get(family);
    if (open) return open;
    const outlet = this.#options.openOutlet(family, {
      take: (from, bytes) => this.#take(from, bytes),
      ended: () => {
        if (this.#outlets.get(family) === outlet) this.#outlets.delete(family);
      },
    });
    this.#outlets.set(family, outlet);
    return outlet;
  }

  #take(from: Address, bytes: Uint8Array): void {
    if (this.#isClosed || !this.#peers.admits(from)) return void this.#dropped++;
    this.#options.deliver(from, bytes);
  }

  #forget(peer: Address): void {
    const family = familyOf(peer);
    const outlet = this.#outlets.get(family);
    outlet?.forget(peer);
    if (this.#peers.some((other) => familyOf(other) === family)) return;
    outlet?.close();
    this.#outlets.delete(family);
    this.#addressByName.clear();
  }
}
