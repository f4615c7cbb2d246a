import type { Address } from "../../protocol/address.ts";
import type { Clock } from "../../protocol/clock.ts";
import { StreamError } from "../../protocol/errors.ts";
import { SHARED_BYTES } from "../../protocol/node/socket-reader.ts";
import { DialQueue, type Hold } from "../egress/dial-queue.ts";
import { raceDials } from "../egress/dial-race.ts";
import type { Connection, Egress } from "../egress/egress.ts";
import type { Policy } from "../policy/policy.ts";
import { listenForPeer } from "./bind-listener.ts";
import { lookupFamilies } from "./lookup-families.ts";
import { dialAddress } from "./node-dial.ts";
import { resolveName, reverseAddress } from "./node-resolver.ts";
import { openAssociation } from "./udp-association.ts";

export interface NodeEgressOptions {
  readonly clock: Clock;
  /** Targets that may be dialled at once, for all agents; more wait for their turn. */
  readonly maxDials: number;
}

/**
 * All that Node can do: TCP, BIND, UDP and DNS by this machine. Names are resolved here, and only
 * addresses that passed the policy are sent anything.
 */
export function createNodeEgress({
  clock,
  maxDials,
}: NodeEgressOptions): Omit<Required<Egress>, "forUser"> {
  const queue = new DialQueue(maxDials);
  // Where calm targets are read into.
  const shared = new Uint8Array(SHARED_BYTES);
  const dial = (address: Address, signal: AbortSignal): Promise<Connection> =>
    dialAddress(address, signal, shared);
  return {
    connect: (target, policy, signal, caller) =>
      queue.run(caller, signal, (hold) =>
        target.kind === "name"
          ? dialName({ clock, target, policy, signal, hold, dial })
          : dial(target, signal),
      ),
    listen: (peer, policy, signal, latest) => listenForPeer(peer, policy, signal, shared, latest),
    associate: openAssociation,
    resolve: resolveName,
    reverse: reverseAddress,
  };
}

interface NameDial {
  readonly clock: Clock;
  readonly target: Address;
  readonly policy: Policy;
  readonly signal: AbortSignal;
  readonly hold: Hold;
  readonly dial: (address: Address, signal: AbortSignal) => Promise<Connection>;
}

/** Resolves once, and dials the very addresses that passed: nobody asks the resolver again. */
function dialName({ clock, target, policy, signal, hold, dial }: NameDial): Promise<Connection> {
  const lookups = lookupFamilies(target, policy, clock);
  // A lookup cannot be ended: it counts as a dial until it has.
  hold(lookups.settled);
  const discard = ({ channel }: Connection): void => channel.abort(superseded());
  return raceDials(lookups, { clock, signal, dial, discard });
}

function superseded(): StreamError {
  return new StreamError("cancelled", "Another address of the target has answered");
}
