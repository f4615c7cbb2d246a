import { createSocket, type RemoteInfo, type Socket } from "node:dgram";
import { type Address, formatAddress, parseAddress } from "../../protocol/address.ts";
import type { Association, Deliver } from "../egress/egress.ts";
import type { Policy } from "../policy/policy.ts";
import { resolveName } from "./node-resolver.ts";

/** Peers that may answer: those that were sent to, the latest of them. */
const MAX_PEERS = 1024;
/** Datagrams that may wait for a name to be resolved. */
const MAX_RESOLVING = 64;
/** Bytes that may wait for a socket to send them; a flood beyond it is dropped, newest first. */
const MAX_WAITING_BYTES = 262_144;
/** What a datagram costs beside its payload, so that empty ones are bounded too. */
const OVERHEAD_BYTES = 64;

interface Outlet {
  readonly socket: Socket;
  waitingBytes: number;
}

/** Opens the sockets of one association, one per address family, each when it is first needed. */
export async function openAssociation(policy: Policy, deliver: Deliver): Promise<Association> {
  return new UdpAssociation(policy, deliver);
}

/**
 * Relays datagrams with address-and-port-dependent filtering (RFC 4787 section 5): only who was
 * sent to may answer. Whatever cannot be sent is dropped, as UDP allows.
 */
class UdpAssociation implements Association {
  readonly #policy: Policy;
  readonly #deliver: Deliver;
  readonly #outlets = new Map<4 | 6, Outlet>();
  readonly #peers = new Set<string>();
  readonly #addressByName = new Map<string, Address>();
  readonly #lookups = new Map<string, Promise<Address>>();
  #resolving = 0;
  #isClosed = false;

  constructor(policy: Policy, deliver: Deliver) {
    this.#policy = policy;
    this.#deliver = deliver;
  }

  send(to: Address, bytes: Uint8Array): void {
    if (this.#isClosed || to.port === 0 || !this.#allows(to)) return;
    if (to.kind !== "name") return this.#sendTo(to, bytes);
    const known = this.#addressByName.get(to.host);
    if (known) return this.#sendTo({ ...known, port: to.port }, bytes);
    if (this.#resolving >= MAX_RESOLVING) return;
    this.#resolving++;
    // The memory is the caller's.
    const copy = bytes.slice();
    this.#resolve(to)
      .then((address) => this.#sendTo({ ...address, port: to.port }, copy))
      // A name that has no allowed address: the datagram goes nowhere.
      .catch(() => {})
      .finally(() => this.#resolving--);
  }

  close(): void {
    this.#isClosed = true;
    for (const { socket } of this.#outlets.values()) socket.close();
    this.#outlets.clear();
  }

  /** Each name once for the life of the association, so that an answer's sender stays the same. */
  #resolve(name: Address): Promise<Address> {
    const running = this.#lookups.get(name.host);
    if (running) return running;
    const lookup = resolveName(name, this.#policy)
      .then((address) => {
        if (this.#addressByName.size < MAX_PEERS) this.#addressByName.set(name.host, address);
        return address;
      })
      .finally(() => this.#lookups.delete(name.host));
    this.#lookups.set(name.host, lookup);
    return lookup;
  }

  #allows(address: Address): boolean {
    try {
      this.#policy(address);
      return true;
    } catch {
      return false;
    }
  }

  #sendTo(to: Address, bytes: Uint8Array): void {
    if (this.#isClosed || !this.#allows(to)) return;
    const outlet = this.#outletFor(to);
    const cost = bytes.length + OVERHEAD_BYTES;
    if (outlet.waitingBytes + cost > MAX_WAITING_BYTES) return;
    const peer = formatAddress(to);
    // Deleted first, so that the set is in the order of last use.
    this.#peers.delete(peer);
    this.#peers.add(peer);
    const [oldest] = this.#peers;
    if (this.#peers.size > MAX_PEERS && oldest !== undefined) this.#peers.delete(oldest);
    outlet.waitingBytes += cost;
    // Copied: the socket sends in a later turn. An error is for a datagram of the past, and nothing
    // that a client of UDP could be told.
    outlet.socket.send(bytes.slice(), to.port, to.host, () => (outlet.waitingBytes -= cost));
  }

  #outletFor({ kind }: Address): Outlet {
    const family = kind === "ipv6" ? 6 : 4;
    const open = this.#outlets.get(family);
    if (open) return open;
    const socket = createSocket({ type: `udp${family}`, ipv6Only: family === 6 });
    const outlet: Outlet = { socket, waitingBytes: 0 };
    this.#outlets.set(family, outlet);
    socket.on("message", (bytes, from) => this.#take(bytes, from));
    // A machine without this address family: the datagrams that waited are gone.
    socket.on("error", () => (outlet.waitingBytes = 0));
    return outlet;
  }

  #take(buffer: Buffer, { address, port }: RemoteInfo): void {
    const from = parseAddress(address.replace(/%.*$/, ""), port);
    if (!this.#peers.has(formatAddress(from))) return;
    // A plain Uint8Array: Buffer's slice() is a view, and code that copies must get a copy.
    this.#deliver(from, new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength));
  }
}
