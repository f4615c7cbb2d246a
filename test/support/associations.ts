import type { Association } from "../../edge-worker/egress/egress.ts";
import { createResolver } from "../../edge-worker/egress/dns/resolver.ts";
import { FilteredAssociation } from "../../edge-worker/egress/filtered-association.ts";
import { systemSource } from "../../edge-worker/node/system-source.ts";
import { openUdpOutlet } from "../../edge-worker/node/udp-outlet.ts";
import { nodeClock } from "../../protocol/node/node-clock.ts";
import type { Policy } from "../../edge-worker/policy/policy.ts";
import type { Address } from "../../protocol/address.ts";
import { openUdpPeer, type UdpPeer } from "./udp-peer.ts";

const anything: Policy = () => undefined;

/** A datagram that an association delivered. */
export interface Delivered {
  readonly from: Address;
  readonly bytes: Uint8Array;
}

/** An association with what it delivered so far, and a way to wait for more. */
export interface ObservedAssociation {
  readonly association: Association;
  readonly delivered: readonly Delivered[];
  readonly until: (count: number) => Promise<void>;
}

/** The associations and UDP peers of one test file; `close()` ends those of one test. */
export class Associations {
  readonly #open: { close(): void | Promise<void> }[] = [];

  async openPeer(host = "127.0.0.1", isEcho = false): Promise<UdpPeer> {
    const peer = await openUdpPeer(host, isEcho);
    this.#open.push(peer);
    return peer;
  }

  openEcho(host?: string): Promise<UdpPeer> {
    return this.openPeer(host, true);
  }

  async associate(policy = anything): Promise<ObservedAssociation> {
    const delivered: Delivered[] = [];
    const waiting: { count: number; resolve: () => void }[] = [];
    const association = new FilteredAssociation({
      clock: nodeClock,
      policy,
      resolver: createResolver(systemSource),
      idleTimeoutMs: 60_000,
      openOutlet: openUdpOutlet,
      deliver: (from, bytes) => {
        delivered.push({ from, bytes });
        for (const { count, resolve } of waiting) if (delivered.length >= count) resolve();
      },
    });
    this.#open.push(association);
    const until = (count: number): Promise<void> =>
      new Promise((resolve) => {
        if (delivered.length >= count) resolve();
        else waiting.push({ count, resolve });
      });
    return { association, delivered, until };
  }

  async close(): Promise<void> {
    for (const thing of this.#open.splice(0)) await thing.close();
  }
}
