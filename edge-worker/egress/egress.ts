import type { Address } from "../../protocol/address.ts";
import type { ByteChannel } from "../../protocol/channel.ts";
import { Capability } from "../../protocol/wire.ts";
import type { Policy } from "../policy/policy.ts";

/** A connection to a target. */
export interface Connection {
  readonly channel: ByteChannel;
  /** Our end of it; UNSPECIFIED where the platform does not tell. */
  readonly bound: Address;
}

/** A socket that waits for one peer (BIND). */
export interface Listening {
  /** Where the peer is to connect to. */
  readonly bound: Address;
  /** The first connection of the expected peer; rejects once `signal` has aborted. */
  readonly accepted: Promise<{ readonly channel: ByteChannel; readonly peer: Address }>;
}

/** The UDP sockets of one association. */
export interface Association {
  /** Sends a datagram, or drops it: UDP promises nothing. `bytes` is copied or sent at once. */
  send(to: Address, bytes: Uint8Array): void;
  /** Datagrams that were not relayed, in either direction, as far as it is known here. */
  readonly dropped: number;
  close(): void;
}

/** Takes a datagram that came from `from`; `bytes` is valid until it returns. */
export type Deliver = (from: Address, bytes: Uint8Array) => void;

/**
 * What a platform lets an edge do; a member that is absent it cannot do. Each adapter tells its
 * failures as true StreamErrors, and asks `policy` about every address that it has resolved itself
 * before it sends anything there.
 */
export interface Egress {
  /** The same for one user, by key id, where not all of them go the same ways. */
  readonly forUser?: (user: string) => Egress;
  /**
   * Connects by TCP. `signal` ends the attempt where the platform can. Dials are bounded: those of
   * different callers (sessions) get equal turns.
   */
  connect(
    target: Address,
    policy: Policy,
    signal: AbortSignal,
    caller: object,
  ): Promise<Connection>;
  /**
   * Listens for a TCP connection from `peer`, whatever its port; where isAnybody(peer), from the
   * first one that `policy` lets be. `latest` is our end of the connection that was made before.
   */
  readonly listen?: (
    peer: Address,
    policy: Policy,
    signal: AbortSignal,
    latest?: Address,
  ) => Promise<Listening>;
  readonly associate?: (policy: Policy, deliver: Deliver) => Promise<Association>;
  /** That associations relay nothing but datagrams to port 53. */
  readonly isDnsOnly?: boolean;
  /** The first address of a name. */
  readonly resolve?: (name: Address, policy: Policy) => Promise<Address>;
  /** A name of an address (PTR). */
  readonly reverse?: (address: Address) => Promise<Address>;
}

/**
 * Whether BIND waits for no one in particular: what clients name that do not know their peer, or mean
 * that of a connection which the edge knows nothing of (RFC 1928 section 4 leaves it open).
 */
export function isAnybody({ host }: Address): boolean {
  return host === "0.0.0.0" || host === "::";
}

/** The bits of HELLO for what an egress can do. */
export function capabilitiesOf(egress: Egress): number {
  return (
    (egress.listen ? Capability.Bind : 0) |
    (egress.associate && !egress.isDnsOnly ? Capability.UdpNative : 0) |
    (egress.associate && egress.isDnsOnly ? Capability.UdpDns : 0) |
    (egress.resolve && egress.reverse ? Capability.Resolve : 0)
  );
}
