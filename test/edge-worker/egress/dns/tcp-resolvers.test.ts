import { describe, expect, it } from "vitest";
import { encodeQuery, RecordType } from "../../../../edge-worker/egress/dns/dns-message.ts";
import { TcpResolvers } from "../../../../edge-worker/egress/dns/tcp-resolvers.ts";
import { type Address, formatAddress, parseAddress } from "../../../../protocol/address.ts";
import { DnsPeer } from "../../../support/dns-peer.ts";
import { FakeClock } from "../../../support/fake-clock.ts";
import { answerTo } from "../../../support/fake-resolver.ts";
import { fateOf } from "../../../support/stream-bytes.ts";

const x = encodeQuery(7, "x.test", RecordType.A);
const quad9 = parseAddress("9.9.9.9", 53);

/** Resolvers that can all be dialled, each at a peer of its own. */
function dialled() {
  const clock = new FakeClock();
  const peers: { address: string; peer: DnsPeer }[] = [];
  const resolvers = new TcpResolvers(clock, async (address: Address) => {
    const peer = new DnsPeer();
    peers.push({ address: formatAddress(address), peer });
    return peer.channel;
  });
  const answerAll = async (): Promise<void> => {
    await clock.run();
    for (const { peer } of peers) {
      for (const query of peer.takeQueries()) peer.answer(answerTo(query, []));
    }
    await clock.run();
  };
  return { clock, peers, resolvers, answerAll };
}

describe("TcpResolvers.ask()", () => {
  it("asks the very resolver, by one connection for all queries", async () => {
    const { peers, resolvers, answerAll } = dialled();
    const fates = [quad9, quad9, parseAddress("2620:fe::fe", 53)].map((to) =>
      fateOf(resolvers.ask(to, x)),
    );
    await answerAll();
    expect(fates.map(({ now }) => now)).toEqual(fates.map(() => answerTo(x, [])));
    expect(peers.map(({ address }) => address)).toEqual(["9.9.9.9:53", "[2620:fe::fe]:53"]);
  });

  it("asks once more by a fresh connection when a used one has ended", async () => {
    const { clock, peers, resolvers, answerAll } = dialled();
    void resolvers.ask(quad9, x);
    await answerAll();
    const fate = fateOf(resolvers.ask(quad9, x));
    peers[0]?.peer.channel.farEnd();
    await answerAll();
    expect(fate.now).toEqual(answerTo(x, []));
    expect(peers).toHaveLength(2);
    await clock.advance(10_000);
    expect(resolvers.connectionCount).toBe(0);
  });

  it("does not ask again when a fresh connection ends", async () => {
    const { clock, peers, resolvers } = dialled();
    const fate = fateOf(resolvers.ask(quad9, x));
    await clock.run();
    peers[0]?.peer.channel.farEnd();
    await clock.run();
    expect(fate.now).toMatchObject({ reason: "host-unreachable" });
    expect(peers).toHaveLength(1);
  });

  it("gives up a dial after five seconds, and closes what comes of it", async () => {
    const clock = new FakeClock();
    const late = Promise.withResolvers<DnsPeer["channel"]>();
    const resolvers = new TcpResolvers(clock, () => late.promise);
    const fate = fateOf(resolvers.ask(quad9, x));
    await clock.advance(5000);
    expect(fate.now).toMatchObject({ reason: "timed-out" });
    const { channel } = new DnsPeer();
    late.resolve(channel);
    await clock.run();
    expect(channel.abortReason).toMatchObject({ reason: "cancelled" });
    expect(resolvers.connectionCount).toBe(0);
  });

  it("has 32 connections at most: an idle one makes room", async () => {
    const { clock, resolvers, answerAll } = dialled();
    const at = (i: number) => parseAddress(`192.0.2.${i}`, 53);
    for (let i = 0; i < 32; i++) void resolvers.ask(at(i), x).catch(() => {});
    await clock.run();
    await expect(resolvers.ask(quad9, x)).rejects.toMatchObject({ reason: "quota-exceeded" });
    await answerAll();
    const fate = fateOf(resolvers.ask(quad9, x));
    await answerAll();
    expect(fate.now).toEqual(answerTo(x, []));
    expect(resolvers.connectionCount).toBe(32);
  });
});
