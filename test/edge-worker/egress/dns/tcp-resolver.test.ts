import { describe, expect, it } from "vitest";
import {
  decodeDnsHead,
  encodeQuery,
  RecordType,
} from "../../../../edge-worker/egress/dns/dns-message.ts";
import { withId } from "../../../../edge-worker/egress/dns/doh-client.ts";
import { TcpResolver } from "../../../../edge-worker/egress/dns/tcp-resolver.ts";
import { StreamError } from "../../../../protocol/errors.ts";
import { DnsPeer } from "../../../support/dns-peer.ts";
import { FakeClock } from "../../../support/fake-clock.ts";
import { answerTo } from "../../../support/fake-resolver.ts";
import { fateOf } from "../../../support/stream-bytes.ts";

const queryOf = (name: string, id = 7) => encodeQuery(id, name, RecordType.A);
const idOf = (message: Uint8Array) => decodeDnsHead(message).id;
const x = queryOf("x.test");
const y = queryOf("y.test");

async function connected() {
  const clock = new FakeClock();
  const peer = new DnsPeer();
  const resolver = new TcpResolver(clock, Promise.resolve(peer.channel));
  await clock.run();
  return { clock, peer, resolver };
}

describe("TcpResolver.ask()", () => {
  it("gives each its answer under its own id, whatever their order", async () => {
    const { clock, peer, resolver } = await connected();
    const [fateX, fateY] = [fateOf(resolver.ask(x)), fateOf(resolver.ask(y))];
    await clock.run();
    const [toX, toY] = peer.takeQueries() as [Uint8Array, Uint8Array];
    expect(idOf(toX)).not.toBe(idOf(toY));
    peer.answer(answerTo(toY, ["192.0.2.2"]), answerTo(toX, ["192.0.2.1"]));
    await clock.run();
    expect(fateX.now).toEqual(answerTo(x, ["192.0.2.1"]));
    expect(fateY.now).toEqual(answerTo(y, ["192.0.2.2"]));
  });

  it("takes an answer by id and question, and nothing else", async () => {
    const { clock, peer, resolver } = await connected();
    const fate = fateOf(resolver.ask(x));
    await clock.run();
    const [query] = peer.takeQueries() as [Uint8Array];
    const right = answerTo(query, ["192.0.2.1"]);
    peer.answer(
      withId(right, idOf(query) + 1),
      withId(answerTo(y, ["192.0.2.9"]), idOf(query)),
      query,
      Uint8Array.of(1, 2, 3),
      new Uint8Array(),
    );
    await clock.run();
    expect(fate.now).toBe("pending");
    peer.answer(right, right);
    await clock.run();
    expect(fate.now).toEqual(answerTo(x, ["192.0.2.1"]));
  });

  it("sends what was asked while it was dialled", async () => {
    const clock = new FakeClock();
    const dialling = Promise.withResolvers<DnsPeer["channel"]>();
    const resolver = new TcpResolver(clock, dialling.promise);
    const fate = fateOf(resolver.ask(x));
    const peer = new DnsPeer();
    dialling.resolve(peer.channel);
    await clock.run();
    for (const query of peer.takeQueries()) peer.answer(answerTo(query, []));
    await clock.run();
    expect(fate.now).toEqual(answerTo(x, []));
  });

  it("gives up after five seconds, and takes no late answer", async () => {
    const { clock, peer, resolver } = await connected();
    const fate = fateOf(resolver.ask(x));
    await clock.advance(4999);
    expect(fate.now).toBe("pending");
    await clock.advance(1);
    expect(fate.now).toMatchObject({ reason: "timed-out" });
    for (const query of peer.takeQueries()) peer.answer(answerTo(query, []));
    await clock.run();
    expect(resolver.inFlight).toBe(0);
  });

  it("has 256 queries in flight at most", async () => {
    const { resolver } = await connected();
    for (let i = 0; i < 256; i++) void resolver.ask(queryOf(`${i}.test`)).catch(() => {});
    await expect(resolver.ask(x)).rejects.toMatchObject({ reason: "host-unreachable" });
    resolver.close();
  });

  it("gives no query the id of another that is in flight", async () => {
    const { clock, peer, resolver } = await connected();
    const first = fateOf(resolver.ask(y));
    await clock.run();
    const [toFirst] = peer.takeQueries() as [Uint8Array];
    const ids = new Set<number>();
    const deframed = peer.takeQueries.bind(peer);
    for (let round = 0; round < 8; round++) {
      void resolver.ask(x).catch(() => {});
      await clock.run();
      for (const query of deframed()) {
        ids.add(idOf(query));
        peer.answer(answerTo(query, []));
      }
    }
    expect(ids.has(idOf(toFirst))).toBe(false);
    peer.answer(answerTo(toFirst, []));
    await clock.run();
    expect(first.now).toEqual(answerTo(y, []));
  });
});

describe("TcpResolver and its end", () => {
  it.each<[string, (peer: DnsPeer, resolver: TcpResolver) => void]>([
    ["the resolver closes", (peer) => peer.channel.farEnd()],
    ["the connection breaks", (peer) => peer.channel.breakOff()],
    ["it is closed", (_peer, resolver) => resolver.close()],
  ])("tells those who wait when %s", async (_what, end) => {
    const { clock, peer, resolver } = await connected();
    const fate = fateOf(resolver.ask(x));
    let closedCount = 0;
    resolver.onceClosed(() => closedCount++);
    await clock.run();
    end(peer, resolver);
    await clock.run();
    expect(fate.now).toBeInstanceOf(StreamError);
    expect(closedCount).toBe(1);
    await expect(resolver.ask(x)).rejects.toBeInstanceOf(StreamError);
    expect(clock.timerCount).toBe(0);
  });

  it("tells those who wait when the dial fails", async () => {
    const clock = new FakeClock();
    const refused = new StreamError("connection-refused", "Cannot connect: refused");
    const resolver = new TcpResolver(clock, Promise.reject(refused));
    await expect(resolver.ask(x)).rejects.toBe(refused);
    expect(clock.timerCount).toBe(0);
  });

  it("closes ten seconds after its last answer", async () => {
    const { clock, peer, resolver } = await connected();
    await clock.advance(9000);
    const fate = fateOf(resolver.ask(x));
    await clock.advance(4000);
    expect(peer.channel.abortReason).toBeUndefined();
    for (const query of peer.takeQueries()) peer.answer(answerTo(query, []));
    await clock.advance(9999);
    expect(fate.now).toEqual(answerTo(x, []));
    expect(peer.channel.abortReason).toBeUndefined();
    await clock.advance(1);
    expect(peer.channel.abortReason).toBeInstanceOf(StreamError);
    expect(clock.timerCount).toBe(0);
  });
});
