import { describe, expect, it } from "vitest";
import { LazyUplink } from "../../../../edge-worker/egress/upstream/lazy-uplink.ts";
import { parseAddress } from "../../../../protocol/address.ts";
import { CarrierError } from "../../../../protocol/errors.ts";
import type { Dial } from "../../../../protocol/uplink.ts";
import { Command } from "../../../../protocol/wire.ts";
import { createBridge } from "../../../support/bridge-parts.ts";
import { type CarrierPair, carrierPair } from "../../../support/carrier-pair.ts";
import { FakeClock } from "../../../support/fake-clock.ts";
import { FakeEdge, type Mood } from "../../../support/fake-edge.ts";
import { recordedLog } from "../../../support/log.ts";
import { helloWith } from "../../../support/session-pair.ts";
import { fateOf } from "../../../support/stream-bytes.ts";
import { settled } from "../../../support/settled.ts";

const target = parseAddress("example.com", 443);

function lazyUplink(mood: Mood = "answers") {
  const clock = new FakeClock();
  const edge = new FakeEdge(clock);
  edge.mood = mood;
  const log = recordedLog();
  const uplink = new LazyUplink({
    clock,
    log,
    random: () => 0,
    dial: edge.dial,
    hello: helloWith({ maxStreams: 0 }),
    resumeMemory: 1_000_000,
    edge: "wss://edge.example/",
  });
  /** A session, or why there is none, once all that happens at once has happened. */
  const ask = async () => {
    const outcome = settled(uplink.session());
    await clock.run();
    return outcome;
  };
  return { clock, edge, log, uplink, ask };
}

describe("LazyUplink", () => {
  it("dials nobody before it is asked, and once for all who ask", async () => {
    const { clock, edge, uplink } = lazyUplink();
    await clock.advance(100_000);
    expect(edge.dialledAt).toEqual([]);
    const both = Promise.all([uplink.session(), uplink.session()]);
    await clock.run();
    const [first, second] = await both;
    expect(first).toBe(second);
    expect(edge.dialledAt).toHaveLength(1);
  });

  it.each(["refuses", "is out of reach"] as const)(
    "tells at once when the edge %s, and until it dials again",
    async (mood) => {
      const { clock, edge, ask } = lazyUplink(mood);
      expect(await ask()).toMatchObject({ reason: "edge-unavailable" });
      const second = await ask();
      expect(second).toMatchObject({ reason: "edge-unavailable" });
      expect(String(second)).not.toMatch(/ECONN|404/);
      expect(edge.dialledAt).toHaveLength(1);
      edge.mood = "answers";
      await clock.advance(3000);
      expect(edge.dialledAt).toHaveLength(2);
      expect(await ask()).toHaveProperty("isOpen", true);
    },
  );

  it("dials again when its session is lost", async () => {
    const { clock, edge, ask } = lazyUplink();
    const first = await ask();
    edge.carriers[0]?.cut();
    await clock.advance(30);
    const second = await ask();
    expect(second).toHaveProperty("isOpen", true);
    expect(second).not.toBe(first);
  });

  it("leaves an edge that nobody has used for a minute, and dials again when asked", async () => {
    const { clock, edge, ask } = lazyUplink();
    await ask();
    await clock.advance(59_999);
    expect(edge.sessions[0]?.linkCount).toBe(1);
    await clock.advance(60_001);
    expect(edge.sessions[0]?.linkCount).toBe(0);
    expect(clock.timerCount).toBe(0);
    expect(await ask()).toHaveProperty("isOpen", true);
    expect(edge.dialledAt).toHaveLength(2);
  });

  it("stays for as long as a stream is open", async () => {
    const { clock, edge, uplink } = lazyUplink();
    const asking = uplink.session();
    await clock.run();
    const { stream } = (await asking).open(Command.Connect, target, new Uint8Array());
    stream.answer().catch(() => {});
    // In steps: a real agent's pings would keep the carrier alive meanwhile.
    for (let minute = 0; minute < 10; minute++) await clock.advance(60_000);
    expect(edge.sessions[0]?.linkCount).toBe(1);
    stream.abort("over");
    await clock.advance(120_000);
    expect(edge.sessions[0]?.linkCount).toBe(0);
  });

  it("gives up an edge out of reach that nobody asks for any more", async () => {
    const { clock, edge, ask } = lazyUplink("is out of reach");
    await ask();
    await clock.advance(120_000);
    const dials = edge.dialledAt.length;
    await clock.advance(600_000);
    expect(edge.dialledAt).toHaveLength(dials);
    expect(clock.timerCount).toBe(0);
  });

  it("ends its session and takes nobody any more once closed", async () => {
    const { clock, edge, uplink, ask } = lazyUplink();
    await ask();
    uplink.close();
    await clock.run();
    expect(edge.sessions[0]?.linkCount).toBe(0);
    expect(clock.timerCount).toBe(0);
    expect(await ask()).toMatchObject({ reason: "edge-unavailable" });
    expect(edge.dialledAt).toHaveLength(1);
  });

  it("rejects who waits when it is closed", async () => {
    const { clock, uplink } = lazyUplink("hangs");
    const asking = settled(uplink.session());
    await clock.run();
    uplink.close();
    await clock.run();
    expect(await asking).toMatchObject({ reason: "edge-unavailable" });
    expect(clock.timerCount).toBe(0);
  });
});

/** An uplink to a real bridge, by which one stream goes to a target. */
async function resumable() {
  const hello = helloWith({ maxCarriers: 4, resumeWindow: 60 });
  const { bridge, clock, egress } = createBridge({ hello });
  const pairs: CarrierPair[] = [];
  const network = { isUp: true, dials: 0 };
  const dial: Dial = async () => {
    network.dials++;
    await Promise.resolve();
    if (!network.isUp) throw new CarrierError("ERR_CARRIER_LOST", "no network");
    const pair = carrierPair(clock);
    pairs.push(pair);
    bridge.accept("test", pair.right);
    return pair.left;
  };
  const uplink = new LazyUplink({
    clock,
    log: recordedLog(),
    random: () => 0,
    dial,
    hello: helloWith({ maxStreams: 0, resumeWindow: 60 }),
    resumeMemory: 1_000_000,
    edge: "wss://edge.example/",
  });
  const asking = uplink.session();
  await clock.run();
  const session = await asking;
  const { stream } = session.open(Command.Connect, target, new Uint8Array());
  await clock.run();
  const [dialled] = egress.dials;
  dialled?.succeed();
  await clock.run();
  if (!dialled) throw new Error("The other edge has not dialled");
  return { bridge, clock, pairs, network, uplink, session, stream, channel: dialled.channel };
}

describe("LazyUplink, to an edge that keeps sessions", () => {
  it("lets streams go on when its carrier is lost, both ways, with no byte lost", async () => {
    const { clock, pairs, uplink, session, stream, channel } = await resumable();
    void stream.write(Uint8Array.of(1, 2));
    await clock.run();
    channel.arrive(Uint8Array.of(7, 8));
    pairs[0]?.cut();
    void stream.write(Uint8Array.of(3));
    channel.arrive(Uint8Array.of(9));
    await clock.run();
    expect(pairs).toHaveLength(2);
    expect([...channel.written]).toEqual([1, 2, 3]);
    const got = [...((await stream.read()) ?? [])];
    while (got.length < 3) got.push(...((await stream.read()) ?? []));
    expect(got).toEqual([7, 8, 9]);
    expect(await uplink.session()).toBe(session);
  });

  it("goes on dialling for the streams it has, and tells who asks for more at once", async () => {
    const { clock, pairs, network, uplink, stream, channel } = await resumable();
    await clock.advance(10_000);
    network.isUp = false;
    pairs[0]?.cut();
    await clock.run();
    const asking = settled(uplink.session());
    await clock.run();
    expect(await asking).toMatchObject({ reason: "edge-unavailable" });
    const read = fateOf(stream.read());
    await clock.advance(20_000);
    expect(read.now).toBe("pending");
    network.isUp = true;
    await clock.advance(5000);
    channel.arrive(Uint8Array.of(5));
    await clock.run();
    expect(read.now).toEqual(Uint8Array.of(5));
  });

  it("stays for streams that wait for a carrier, when nobody has asked for a minute", async () => {
    const { clock, pairs, network, stream, channel } = await resumable();
    await clock.advance(100_000);
    network.isUp = false;
    pairs[0]?.cut();
    // In the middle of this it looks whether anybody uses it.
    await clock.advance(40_000);
    network.isUp = true;
    const read = fateOf(stream.read());
    channel.arrive(Uint8Array.of(5));
    await clock.advance(15_000);
    expect(read.now).toEqual(Uint8Array.of(5));
  });

  it("gives streams and dials up when the window has passed, and nothing is left", async () => {
    const { bridge, clock, pairs, network, stream } = await resumable();
    await clock.advance(10_000);
    network.isUp = false;
    pairs[0]?.cut();
    const read = fateOf(stream.read());
    await clock.advance(59_999);
    expect(read.now).toBe("pending");
    await clock.advance(1);
    expect(read.now).toMatchObject({ reason: "edge-unavailable" });
    await clock.advance(240_000);
    const { dials } = network;
    await clock.advance(600_000);
    expect([network.dials, bridge.sessionCount, clock.timerCount]).toEqual([dials, 0, 0]);
  });

  it("tells the other edge when it is closed, so that this keeps nothing", async () => {
    const { bridge, clock, uplink, stream } = await resumable();
    const read = fateOf(stream.read());
    uplink.close();
    await clock.run();
    expect(read.now).toMatchObject({ reason: "cancelled" });
    expect([bridge.sessionCount, clock.timerCount]).toEqual([0, 0]);
  });
});
