import type { Address } from "../../protocol/address.ts";
import type { Clock } from "../../protocol/clock.ts";
import { StreamError } from "../../protocol/errors.ts";
import type { Log } from "../../protocol/log.ts";
import { ReadMemory } from "../../protocol/node/read-memory.ts";
import { DialQueue, type Hold } from "../egress/dial-queue.ts";
import { raceDials } from "../egress/dial-race.ts";
import { createCachedSource } from "../egress/dns/cached-source.ts";
import { createDohSource } from "../egress/dns/doh-source.ts";
import { createResolver, type Resolver } from "../egress/dns/resolver.ts";
import type { Connection, Egress } from "../egress/egress.ts";
import type { Outbound } from "../egress/outbound.ts";
import { createUdpEgress } from "../egress/udp-egress.ts";
import type { Policy } from "../policy/policy.ts";
import { createListen } from "./bind-listener.ts";
import { lookupFamilies, type RunningLookups } from "./lookup-families.ts";
import { dialAddress } from "./node-dial.ts";
import { systemSource } from "./system-source.ts";
import { turnServerOf } from "./turn-server.ts";
import { openUdpOutlet } from "./udp-outlet.ts";

export interface NodeEgressOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** Targets that may be dialled at once, for all agents; more wait for their turn. */
  readonly maxDials: number;
  readonly outbound: Outbound;
}

/** Whatever relays its datagrams, Node listens and looks up. */
export type NodeEgress = Egress & Required<Pick<Egress, "listen" | "resolve" | "reverse">>;

/** Looks a name up for a dial: each family as it comes in. */
type Lookup = (name: Address, policy: Policy) => RunningLookups;

/** The policy has let it through already. */
const settled: Policy = () => undefined;

/**
 * All that Node can do: TCP, BIND, UDP and DNS by this machine. Names are resolved here, and only
 * addresses that passed the policy are sent anything.
 */
export function createNodeEgress({
  clock,
  log,
  maxDials,
  outbound,
}: NodeEgressOptions): NodeEgress {
  const { dnsUrls, bind, turn } = outbound;
  const isBySystem = dnsUrls.length === 0;
  const source = isBySystem ? systemSource : createDohSource(dnsUrls, { clock });
  const resolver = createResolver(createCachedSource(source, clock));
  const lookup: Lookup = isBySystem
    ? (name, policy) => lookupFamilies(name, policy, clock)
    : (name, policy) => lookupBy(resolver, name, policy);
  const queue = new DialQueue(maxDials);
  // Where calm targets are read into.
  const memory = new ReadMemory();
  const dial = (address: Address, ending: AbortSignal): Promise<Connection> =>
    dialAddress(address, ending, memory);
  const connect: Egress["connect"] = (target, policy, signal, caller) =>
    queue.run(caller, signal, (hold) =>
      target.kind === "name"
        ? dialName({ clock, lookups: lookup(target, policy), signal, hold, dial })
        : dial(target, signal),
    );
  const { resolve, reverse } = resolver;
  return {
    connect,
    resolve,
    reverse,
    ...createUdpEgress(outbound, {
      clock,
      resolver,
      openOutlet: openUdpOutlet,
      // All resolvers together are one caller: they get a turn beside each session.
      dialTcp: async (to, signal) => (await connect(to, settled, signal, resolver)).channel,
      turn: turn && turnServerOf(turn, { clock, log, connect }),
    }),
    // This machine can listen itself, whatever relays its datagrams.
    listen: createListen(resolver, bind, memory),
  };
}

interface NameDial {
  readonly clock: Clock;
  readonly lookups: RunningLookups;
  readonly signal: AbortSignal;
  readonly hold: Hold;
  readonly dial: (address: Address, signal: AbortSignal) => Promise<Connection>;
}

/** Resolves once, and dials the very addresses that passed: nobody asks the resolver again. */
function dialName({ clock, lookups, signal, hold, dial }: NameDial): Promise<Connection> {
  // A lookup cannot be ended: it counts as a dial until it has.
  hold(lookups.settled);
  const discard = ({ channel }: Connection): void => channel.abort(superseded());
  return raceDials(lookups, { clock, signal, dial, discard });
}

/** Both families come in at once, as the cache keeps them together. */
function lookupBy(resolver: Resolver, name: Address, policy: Policy): RunningLookups {
  const all = resolver.resolveAll(name, policy);
  const of = async (kind: "ipv6" | "ipv4"): Promise<readonly Address[]> =>
    (await all).filter((address) => address.kind === kind);
  return { ipv6: of("ipv6"), ipv4: of("ipv4"), settled: all };
}

function superseded(): StreamError {
  return new StreamError("cancelled", "Another address of the target has answered");
}
