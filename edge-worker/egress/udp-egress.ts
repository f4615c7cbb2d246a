import type { Clock } from "../../protocol/clock.ts";
import { DnsAssociation } from "./dns/dns-association.ts";
import type { Resolver } from "./dns/resolver.ts";
import { type DialTcp, TcpResolvers } from "./dns/tcp-resolvers.ts";
import type { Egress } from "./egress.ts";
import { FilteredAssociation } from "./filtered-association.ts";
import type { OpenOutlet } from "./outlet.ts";
import type { Outbound } from "./outbound.ts";
import { openTurnAssociation } from "./turn/turn-association.ts";
import { listenByTurn } from "./turn/turn-listener.ts";
import type { TurnServer } from "./turn/turn-server.ts";
import type { Address } from "../../protocol/address.ts";

/** What a platform has for the modes of UDP. */
export interface UdpPlatform {
  readonly clock: Clock;
  readonly resolver: Resolver;
  /** Connects to an address that the policy has let through. */
  readonly dialTcp: DialTcp;
  /** Asks a resolver by HTTPS that cannot be reached by TCP; undefined for all others. */
  readonly askByHttps?: (
    resolver: Address,
  ) => ((query: Uint8Array) => Promise<Uint8Array>) | undefined;
  /** Sockets of the machine, where it has any. */
  readonly openOutlet?: OpenOutlet;
  readonly turn: TurnServer | undefined;
}

/** The members of an Egress for UDP, and for BIND where only a TURN server can listen. */
export function createUdpEgress(
  { udp, udpIdleTimeoutMs: idleTimeoutMs }: Pick<Outbound, "udp" | "udpIdleTimeoutMs">,
  platform: UdpPlatform,
): Pick<Egress, "associate" | "isDnsOnly" | "listen"> {
  const { clock, resolver, openOutlet, turn } = platform;
  if (udp === "dns") return { ...createDnsEgress(platform), isDnsOnly: true };
  if (udp === "turn" && turn) {
    return {
      associate: (policy, deliver) =>
        openTurnAssociation(turn, { clock, resolver, idleTimeoutMs, policy, deliver }),
      listen: async (peer, policy, signal) => {
        const expected = peer.kind === "name" ? await resolver.resolve(peer, policy) : peer;
        return listenByTurn(turn, expected, signal);
      },
    };
  }
  if (udp !== "native" || !openOutlet) return {};
  return {
    associate: async (policy, deliver) =>
      new FilteredAssociation({ clock, resolver, idleTimeoutMs, policy, deliver, openOutlet }),
  };
}

function createDnsEgress({
  clock,
  resolver,
  dialTcp,
  askByHttps,
}: UdpPlatform): Pick<Egress, "associate"> {
  const connections = new TcpResolvers(clock, dialTcp);
  return {
    associate: async (policy, deliver) =>
      new DnsAssociation({
        policy,
        deliver,
        resolver,
        ask: (to, query) => askByHttps?.(to)?.(query) ?? connections.ask(to, query),
      }),
  };
}
