import { describe, expect, it } from "vitest";
import { Command } from "../../protocol/wire.ts";
import { target } from "../support/bridge-parts.ts";
import { resumingUplink } from "../support/resuming-uplink.ts";
import { fateOf } from "../support/stream-bytes.ts";

const none = new Uint8Array();

/** An uplink with one stream, whose target is reached. */
async function streaming(carriers = 1) {
  const parts = await resumingUplink(carriers);
  const session = await parts.uplink.session();
  const { stream } = session.open(Command.Connect, target, none);
  await parts.clock.run();
  const [dial] = parts.egress().dials;
  dial?.succeed();
  await parts.clock.run();
  if (!dial) throw new Error("The edge has not dialled");
  return { ...parts, session, stream, dial };
}

describe("Uplink, a session that can be resumed", () => {
  it("dials at once when its carrier is lost, and its streams go on", async () => {
    const { clock, pairs, dialledAt, session, uplink, stream, dial, ups } = await streaming();
    await clock.advance(20_000);
    pairs[0]?.cut();
    await clock.run();
    expect(dialledAt).toEqual([0, 20_000]);
    expect(await uplink.session()).toBe(session);
    void stream.write(Uint8Array.of(1, 2, 3));
    await clock.run();
    expect([...dial.channel.written]).toEqual([1, 2, 3]);
    expect(ups).toEqual([true, false, true]);
  });

  it("keeps the streams while the edge is out of reach, and has new ones wait", async () => {
    const { clock, pairs, network, session, uplink, stream } = await streaming();
    await clock.advance(20_000);
    network.isUp = false;
    pairs[0]?.cut();
    await clock.advance(5000);
    const waiting = fateOf(uplink.session());
    const read = fateOf(stream.read());
    await clock.advance(4000);
    expect([waiting.now, read.now]).toEqual(["pending", "pending"]);
    network.isUp = true;
    await clock.advance(3500);
    expect([waiting.now, read.now]).toEqual([session, "pending"]);
  });

  it("tries more often while streams wait, and says so only once it takes longer", async () => {
    const { clock, pairs, network, dialledAt, log } = await streaming();
    await clock.advance(20_000);
    network.isUp = false;
    pairs[0]?.cut();
    await clock.advance(100);
    // A tenth of the bounds, as random() says 0 here.
    const pauses = dialledAt.slice(2).map((at, i) => (at - (dialledAt[i + 1] ?? 0)).toFixed(3));
    expect(pauses.slice(0, 4)).toEqual(["5.000", "5.500", "6.050", "6.655"]);
    const warnings = (): string[] => log.lines.filter((line) => line.startsWith("warn Cannot use"));
    expect(warnings()).toEqual([]);
    await clock.advance(5000);
    expect(warnings()).not.toEqual([]);
  });

  it("gives its streams up when the resume window has passed", async () => {
    const { clock, pairs, network, stream, log } = await streaming();
    network.isUp = false;
    pairs[0]?.cut();
    const read = fateOf(stream.read());
    await clock.advance(60_000);
    expect(read.now).toMatchObject({ reason: "edge-unavailable" });
    expect(log.lines.some((line) => line.includes("is over"))).toBe(true);
  });

  it("resets all streams at once when the edge does not know the session, and begins another", async () => {
    const { clock, pairs, restartEdge, bridge, session, uplink, stream, dialledAt } =
      await streaming();
    await clock.advance(20_000);
    restartEdge();
    const read = fateOf(stream.read());
    pairs[0]?.cut();
    await clock.run();
    expect(read.now).toMatchObject({ reason: "edge-unavailable" });
    const renewed = await uplink.session();
    expect([renewed === session, session.isOver, dialledAt]).toEqual([
      false,
      true,
      [0, 20_000, 20_000],
    ]);
    expect(bridge().sessionCount).toBe(1);
  });

  it("lets streams go on that still have a carrier when the edge has forgotten their session", async () => {
    const { clock, pairs, restartEdge, session, uplink, stream, dial } = await streaming(2);
    await clock.advance(20_000);
    restartEdge();
    pairs[1]?.cut();
    await clock.run();
    expect(await uplink.session()).not.toBe(session);
    void stream.write(Uint8Array.of(7));
    await clock.run();
    expect([[...dial.channel.written], session.linkCount]).toEqual([[7], 1]);
    const read = fateOf(stream.read());
    pairs[0]?.cut();
    await clock.run();
    expect(read.now).toMatchObject({ reason: "edge-unavailable" });
  });

  it("lets all streams end on a draining edge in whose place another stands already", async () => {
    const { clock, bridge, restartEdge, uplink, session, stream, dial, egress } =
      await streaming(2);
    const other = session.open(Command.Connect, target, none).stream;
    await clock.run();
    const [, second] = egress().dials;
    second?.succeed();
    await clock.run();
    const old = bridge();
    restartEdge();
    old.drain(60_000);
    await clock.advance(1000);
    expect(await uplink.session()).not.toBe(session);
    dial.channel.farEnd();
    await stream.end();
    await clock.run();
    expect(session.linkCount).toBe(1);
    void other.write(Uint8Array.of(8));
    await clock.run();
    expect([...(second?.channel.written ?? [])]).toEqual([8]);
  });

  it("keeps as many carriers as it may, and streams go on on the others at once", async () => {
    const { clock, pairs, session, stream, dial, network, ups } = await streaming(2);
    expect([session.linkCount, pairs.length]).toEqual([2, 2]);
    // One session, whatever the number of its carriers.
    expect(ups).toEqual([true]);
    network.isUp = false;
    pairs[0]?.cut();
    void stream.write(Uint8Array.of(1));
    await clock.run();
    expect([[...dial.channel.written], session.linkCount]).toEqual([[1], 1]);
    network.isUp = true;
    await clock.advance(1000);
    expect(session.linkCount).toBe(2);
  });

  it("keeps to the edge's MaxCarriers", async () => {
    const { pairs } = await resumingUplink(4, 2);
    expect(pairs).toHaveLength(2);
  });

  it("waits for the next edge with new streams while one drains, and leaves it those it has", async () => {
    const { clock, pairs, bridge, restartEdge, session, uplink, stream } = await streaming();
    await clock.advance(20_000);
    bridge().drain(5000);
    await clock.run();
    const waiting = fateOf(uplink.session());
    await clock.advance(100);
    expect([pairs.length > 1, session.linkCount, waiting.now]).toEqual([true, 1, "pending"]);
    restartEdge();
    await clock.advance(1000);
    expect(waiting.now).toBe(await uplink.session());
    expect(waiting.now).not.toBe(session);
    expect([session.linkCount, fateOf(stream.read()).now]).toEqual([1, "pending"]);
  });
});

describe("Uplink, a carrier that nobody says is lost", () => {
  it("is given up within 10 s while data wait, and the data arrive on the next", async () => {
    const { clock, pairs, stream, dial, dialledAt } = await streaming();
    await clock.advance(100_000);
    pairs[0]?.blackHole();
    void stream.write(Uint8Array.of(5));
    await clock.advance(10_000);
    expect([...dial.channel.written]).toEqual([5]);
    expect(dialledAt).toHaveLength(2);
    expect(dialledAt[1]).toBeLessThanOrEqual(110_000);
  });

  it("is given up within 10 s while data wait at the edge, for a minute after the last", async () => {
    for (const quietMs of [1000, 16_000, 30_500, 45_000, 55_000]) {
      const { clock, pairs, stream, dial } = await streaming();
      const read = fateOf(stream.read());
      await clock.advance(quietMs);
      pairs[0]?.blackHole();
      dial.channel.arrive(Uint8Array.of(6));
      await clock.advance(10_000);
      expect(read.now, `quiet for ${quietMs} ms`).toEqual(Uint8Array.of(6));
    }
  });

  it("is given up within 60 s when it is idle", async () => {
    const { clock, pairs, dialledAt } = await resumingUplink();
    await clock.advance(100_000);
    pairs[0]?.blackHole();
    await clock.advance(60_000);
    expect(dialledAt).toHaveLength(2);
  });

  it("is given up as soon as the machine wakes from its sleep", async () => {
    const { clock, uplink, session, stream, dialledAt } = await streaming(2);
    await clock.advance(31_000);
    const read = fateOf(stream.read());
    uplink.networkChanged(true);
    await clock.run();
    expect([dialledAt, session.linkCount]).toEqual([[0, 0, 31_000, 31_000], 2]);
    expect(read.now).toBe("pending");
  });

  it("is given up as soon as another is there after the network has changed", async () => {
    const { clock, pairs, uplink, stream, dial, dialledAt, session } = await streaming();
    await clock.advance(44_500);
    pairs[0]?.blackHole();
    uplink.networkChanged(false);
    await clock.run();
    void stream.write(Uint8Array.of(5));
    await clock.run();
    expect([dialledAt, session.linkCount]).toEqual([[0, 44_500], 1]);
    expect([...dial.channel.written]).toEqual([5]);
  });

  it("stays when it answers after the network has changed, beside another", async () => {
    const { clock, uplink, dialledAt, failures } = await resumingUplink(1, 4, {
      delayMs: 20,
      windows: {},
    });
    const session = await uplink.session();
    const [first] = session.carriers.live;
    await clock.advance(44_500);
    uplink.networkChanged(false);
    await clock.advance(1000);
    expect([dialledAt.length, failures]).toEqual([2, []]);
    expect([session.linkCount, session.carriers.live[0]]).toEqual([2, first]);
    await clock.advance(120_000);
    expect([dialledAt.length, session.linkCount]).toEqual([2, 1]);
  });
});

describe("Uplink, a dial that is stuck when a carrier is lost", () => {
  it("is given up for another", async () => {
    const { clock, pairs, network, dialledAt } = await resumingUplink(2);
    await clock.advance(20_000);
    network.isSilent = true;
    pairs[0]?.cut();
    await clock.advance(2000);
    expect(dialledAt).toEqual([0, 0, 20_000]);
    network.isSilent = false;
    pairs[1]?.cut();
    await clock.run();
    expect(dialledAt.slice(3)).toEqual([22_000, 22_000]);
  });

  it("goes on when it has only begun", async () => {
    const { clock, pairs, network, dialledAt } = await resumingUplink(2);
    await clock.advance(20_000);
    network.isSilent = true;
    pairs[0]?.cut();
    await clock.advance(1999);
    pairs[1]?.cut();
    await clock.advance(3000);
    expect(dialledAt).toEqual([0, 0, 20_000]);
  });
});

describe("Uplink.networkChanged()", () => {
  it("ends the pause before the next dial", async () => {
    const { clock, pairs, uplink, network, dialledAt } = await resumingUplink();
    await clock.advance(20_000);
    network.isUp = false;
    pairs[0]?.cut();
    await clock.advance(8000);
    const before = dialledAt.length;
    network.isUp = true;
    uplink.networkChanged(false);
    await clock.run();
    expect([dialledAt.length, dialledAt.at(-1)]).toEqual([before + 1, 28_000]);
    expect((await uplink.session()).isOpen).toBe(true);
  });
});
