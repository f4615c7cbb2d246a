import { createSocket, type RemoteInfo, type Socket } from "node:dgram";
import { type Address, formatAddress, parseAddress } from "../../protocol/address.ts";
import type { Association, Deliver } from "../egress/egress.ts";
import type { Policy } from "../policy/policy.ts";
import { resolveName } from "./node-resolver.ts";

/** Peers that may answer: those that were sent to, the latest of them. */
const MAX_PEERS = 1024;
/** Datagrams that may wait for a name to be resolved. */
const MAX_RESOLVING = 64;

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
  readonly #sockets = new Map<4 | 6, Socket>();
  readonly #peers = new Set<string>();
  readonly #addressByName = new Map<string, Promise<Address>>();
  #resolving = 0;
  #isClosed = false;

  constructor(policy: Policy, deliver: Deliver) {
    this.#policy = policy;
    this.#deliver = deliver;
  }

  send(to: Address, bytes: Uint8Array): void {
    // The socket sends in a later turn, and the memory is the caller's.
    const copy = bytes.slice();
    if (to.kind !== "name") return this.#sendTo(to, copy);
    if (this.#resolving >= MAX_RESOLVING) return;
    this.#resolving++;
    this.#resolve(to)
      .then((address) => this.#sendTo({ ...address, port: to.port }, copy))
      // A name that has no allowed address: the datagram goes nowhere.
      .catch(() => {})
      .finally(() => this.#resolving--);
  }

  close(): void {
    this.#isClosed = true;
    for (const socket of this.#sockets.values()) socket.close();
    this.#sockets.clear();
  }

  /** Each name once for the life of the association, so that an answer's sender stays the same. */
  #resolve(name: Address): Promise<Address> {
    const known = this.#addressByName.get(name.host);
    if (known) return known;
    const resolving = resolveName(name, this.#policy);
    if (this.#addressByName.size < MAX_PEERS) this.#addressByName.set(name.host, resolving);
    resolving.catch(() => this.#addressByName.delete(name.host));
    return resolving;
  }

  #sendTo(to: Address, bytes: Uint8Array): void {
    if (this.#isClosed || to.port === 0) return;
    try {
      this.#policy(to);
    } catch {
      return;
    }
    const peer = formatAddress(to);
    // Deleted first, so that the set is in the order of last use.
    this.#peers.delete(peer);
    this.#peers.add(peer);
    const [oldest] = this.#peers;
    if (this.#peers.size > MAX_PEERS && oldest !== undefined) this.#peers.delete(oldest);
    this.#socketFor(to).send(bytes, to.port, to.host);
  }

  #socketFor({ kind }: Address): Socket {
    const family = kind === "ipv6" ? 6 : 4;
    const open = this.#sockets.get(family);
    if (open) return open;
    const socket = createSocket({ type: `udp${family}`, ipv6Only: family === 6 });
    this.#sockets.set(family, socket);
    socket.on("message", (bytes, from) => this.#take(bytes, from));
    // "Port unreachable" and the like, for some datagram of the past: nothing that a client of UDP
    // could be told.
    socket.on("error", () => {});
    return socket;
  }

  #take(bytes: Buffer, { address, port }: RemoteInfo): void {
    const from = parseAddress(address.replace(/%.*$/, ""), port);
    if (this.#peers.has(formatAddress(from))) this.#deliver(from, bytes);
  }
}
