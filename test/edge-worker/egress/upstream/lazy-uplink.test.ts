import { describe, expect, it } from "vitest";
import { LazyUplink } from "../../../../edge-worker/egress/upstream/lazy-uplink.ts";
import { parseAddress } from "../../../../protocol/address.ts";
import { Command } from "../../../../protocol/wire.ts";
import { FakeClock } from "../../../support/fake-clock.ts";
import { FakeEdge, type Mood } from "../../../support/fake-edge.ts";
import { recordedLog } from "../../../support/log.ts";
import { helloWith } from "../../../support/session-pair.ts";
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
