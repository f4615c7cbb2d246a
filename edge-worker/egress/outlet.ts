import type { Address } from "../../protocol/address.ts";

/** An address family: datagrams of IPv4 and IPv6 leave by sockets of their own. */
export type Family = 4 | 6;

/** The way out for the datagrams of one association and one family. */
export interface Outlet {
  /** Sends, or drops: false when it is certain that the datagram was dropped. `bytes` is the caller's. */
  send(to: Address, bytes: Uint8Array): boolean;
  /** The peer is not in use any more. */
  forget(peer: Address): void;
  close(): void;
}

/** What an outlet tells of. */
export interface OutletEvents {
  /** A datagram came in; `bytes` is valid until this returns. */
  readonly take: (from: Address, bytes: Uint8Array) => void;
  /** The outlet has ended by itself: the next datagram needs another. */
  readonly ended: () => void;
}

export type OpenOutlet = (family: Family, events: OutletEvents) => Outlet;

export function familyOf({ kind }: Address): Family {
  return kind === "ipv6" ? 6 : 4;
}
