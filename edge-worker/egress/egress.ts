import type { Address } from "../../protocol/address.ts";
import type { ByteChannel } from "../../protocol/channel.ts";
import type { Policy } from "../policy/policy.ts";

/** A connection to a target. */
export interface Connection {
  readonly channel: ByteChannel;
  /** Our end of it; UNSPECIFIED where the platform does not tell. */
  readonly bound: Address;
}

/** What a platform lets an edge do. Each adapter tells its failures as true StreamErrors. */
export interface Egress {
  /**
   * Connects by TCP. An adapter that resolves names itself asks `policy` about each address
   * before it dials. `signal` ends the attempt where the platform can.
   */
  connect(target: Address, policy: Policy, signal: AbortSignal): Promise<Connection>;
}
