import type { Host } from "../../protocol/address.ts";
import type { TurnSettings } from "./turn/turn-server.ts";

/**
 * How datagrams leave: by sockets of the machine, by the operator's TURN server, as DNS over TCP and
 * HTTPS for those to port 53 alone, or not at all.
 */
export const udpModes = ["native", "dns", "turn", "off"] as const;
export type UdpMode = (typeof udpModes)[number];

/** Where a BIND may listen (RFC 1928 section 4). */
export interface BindPlace {
  /** The address that clients are told; undefined for the one that the peer would see. */
  readonly host: Host | undefined;
  /** First and last port; undefined for any that is free. */
  readonly ports: readonly [number, number] | undefined;
}

/** What an operator says about the ways out of an edge, beside TCP. */
export interface Outbound {
  /** DNS-over-HTTPS resolvers, asked in turn; none for the system's own. */
  readonly dnsUrls: readonly string[];
  readonly udp: UdpMode;
  readonly udpIdleTimeoutMs: number;
  /** Needed by the mode "turn". */
  readonly turn: TurnSettings | undefined;
  readonly bind: BindPlace;
}

/** How long a peer of an association may be silent, when nobody says otherwise. */
export const UDP_IDLE_TIMEOUT_MS = 60_000;

/** An edge on Node that was told nothing. */
export const nodeOutbound: Outbound = {
  dnsUrls: [],
  udp: "native",
  udpIdleTimeoutMs: UDP_IDLE_TIMEOUT_MS,
  turn: undefined,
  bind: { host: undefined, ports: undefined },
};
