import { describe, expect, it } from "vitest";
import { encodeQuery, RecordType } from "../../../edge-worker/egress/dns/dns-message.ts";
import { createResolver } from "../../../edge-worker/egress/dns/resolver.ts";
import { capabilitiesOf, type Egress } from "../../../edge-worker/egress/egress.ts";
import type { UdpMode } from "../../../edge-worker/egress/outbound.ts";
import { createUdpEgress, type UdpPlatform } from "../../../edge-worker/egress/udp-egress.ts";
import { formatAddress, parseAddress } from "../../../protocol/address.ts";
import { Capability } from "../../../protocol/wire.ts";
import { answerTo } from "../../support/fake-resolver.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { FakeEgress } from "../../support/fake-egress.ts";
import { FakeTurn } from "../../support/fake-turn.ts";
import { DnsPeer } from "../../support/dns-peer.ts";
import { hex } from "../../support/hex.ts";

const tcp = new FakeEgress();
const connect: Egress["connect"] = (...dial) => tcp.connect(...dial);
const { Bind, UdpDns, UdpNative } = Capability;

/** A platform with all that a mode could want, but for what is left out. */
function egressOf(udp: UdpMode, without: Partial<UdpPlatform> = {}) {
  const clock = new FakeClock();
  const peer = new DnsPeer();
  const dialled: string[] = [];
  const look = async () => ({ data: ["127.0.0.1"], ttlMs: 0 });
  const platform: UdpPlatform = {
    clock,
    resolver: createResolver({ addressesOf: look, namesOf: look }),
    dialTcp: async (to) => {
      dialled.push(formatAddress(to));
      return peer.channel;
    },
    openOutlet: () => ({ send: () => true, forget: () => {}, close: () => {} }),
    turn: new FakeTurn().server,
    ...without,
  };
  const egress = createUdpEgress({ udp, udpIdleTimeoutMs: 60_000 }, platform);
  return { clock, peer, dialled, egress: { connect, ...egress } };
}

describe("createUdpEgress()", () => {
  it.each<[UdpMode, Partial<UdpPlatform>, number]>([
    ["native", {}, UdpNative],
    ["turn", {}, UdpNative | Bind],
    ["turn", { turn: undefined }, 0],
    ["dns", {}, UdpDns],
    ["off", {}, 0],
  ])("can do what the mode %s says", (mode, without, capabilities) => {
    expect(capabilitiesOf(egressOf(mode, without).egress)).toBe(capabilities);
  });

  it("asks resolvers by TCP, and those by HTTPS that cannot be reached otherwise", async () => {
    const byHttps: string[] = [];
    const { clock, dialled, egress } = egressOf("dns", {
      askByHttps: (to) => {
        if (to.host !== "1.1.1.1") return undefined;
        return async (query) => {
          byHttps.push(formatAddress(to));
          return answerTo(query, []);
        };
      },
    });
    const delivered: string[] = [];
    const association = await egress.associate?.(
      () => undefined,
      (from) => void delivered.push(formatAddress(from)),
    );
    const query = encodeQuery(7, "x.test", RecordType.A);
    association?.send(parseAddress("1.1.1.1", 53), query);
    association?.send(parseAddress("9.9.9.9", 53), query);
    await clock.run();
    expect(byHttps).toEqual(["1.1.1.1:53"]);
    expect(dialled).toEqual(["9.9.9.9:53"]);
    expect(delivered).toEqual(["1.1.1.1:53"]);
  });

  it("asks the policy about the address of a BIND's peer before it goes to the TURN server", async () => {
    const { egress } = egressOf("turn");
    const policy = (): never => {
      throw new Error("denied");
    };
    const { signal } = new AbortController();
    const listening = egress.listen?.(parseAddress("rebound.test", 0), policy, signal);
    await expect(listening).rejects.toThrow("denied");
  });

  it("relays by the platform's own sockets", async () => {
    const sent: string[] = [];
    const { egress } = egressOf("native", {
      openOutlet: () => ({
        send: (to) => sent.push(formatAddress(to)) > 0,
        forget: () => {},
        close: () => {},
      }),
    });
    const association = await egress.associate?.(
      () => undefined,
      () => {},
    );
    association?.send(parseAddress("192.0.2.1", 5000), hex("01"));
    expect(sent).toEqual(["192.0.2.1:5000"]);
    association?.close();
  });
});
