import { describe, expect, it } from "vitest";
import { Edges } from "../../../client-agent/carriers/edges.ts";
import { parseAddress } from "../../../protocol/address.ts";
import { Uplink } from "../../../protocol/uplink.ts";
import { Command } from "../../../protocol/wire.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { FakeEdge, type Mood } from "../../support/fake-edge.ts";
import { recordedLog } from "../../support/log.ts";
import { helloWith } from "../../support/session-pair.ts";
import { fateOf } from "../../support/stream-bytes.ts";

const target = parseAddress("example.com", 443);

/** Edges so many milliseconds away each, in a mood. */
async function running(...places: readonly (readonly [delayMs: number, mood?: Mood])[]) {
  const clock = new FakeClock();
  const log = recordedLog();
  const wanted: number[] = [];
  const told: boolean[][] = [];
  const all = places.map(([delayMs, mood = "answers"], index) => {
    const edge = new FakeEdge(clock);
    Object.assign(edge, { delayMs, mood });
    return { name: `edge ${index}`, index, edge };
  });
  const edges = new Edges({
    clock,
    log,
    edges: all,
    carriers: { active: { least: 2, most: 8 }, standby: { least: 1, most: 1 } },
    create: ({ name, edge, index }, carriers, edgeUp) => {
      const uplink = new Uplink({
        clock,
        log,
        random: () => 0,
        metrics: { edgeUp, carrierFailed: () => {} },
        dial: edge.dial,
        hello: helloWith(),
        resumeMemory: 1_000_000,
        carriers,
        edge: name,
      });
      wanted[index] = carriers.least;
      const keep = uplink.keep.bind(uplink);
      uplink.keep = (size) => {
        wanted[index] = size.least;
        keep(size);
      };
      const heard: boolean[] = [];
      told.push(heard);
      uplink.networkChanged = (hasSlept) => void heard.push(hasSlept);
      return uplink;
    },
  });
  const ended = edges.run();
  await clock.run();
  const edgeAt = (index: number): FakeEdge => {
    const found = all[index]?.edge;
    if (!found) throw new Error(`There is no edge ${index}`);
    return found;
  };
  return {
    clock,
    log,
    edges,
    ended,
    wanted,
    /** What each uplink has heard of the network. */
    told,
    edgeAt,
    /** Takes an edge away: its carriers break, and it cannot be dialled. */
    lose: async (index: number): Promise<void> => {
      const edge = edgeAt(index);
      edge.mood = "is out of reach";
      for (const carrier of edge.carriers) carrier.cut();
      await clock.run();
    },
    /** Which edge a new stream arrives at. */
    arrives: async (): Promise<number> => {
      const before = all.map(({ edge }) => edge.incoming.length);
      (await edges.session()).open(Command.Connect, target, new Uint8Array());
      await clock.advance(1000);
      return all.findIndex(({ edge }, index) => edge.incoming.length > (before[index] ?? 0));
    },
  };
}

describe("Edges", () => {
  it("uses the first that answers, then the nearest of those that answered within 3 s", async () => {
    const { clock, edges, arrives, wanted } = await running([400], [100], [50, "hangs"]);
    const first = edges.session();
    await clock.advance(900);
    expect((await first).isOpen).toBe(true);
    await clock.advance(3000);
    expect(await arrives()).toBe(1);
    expect(wanted).toEqual([1, 2, 1]);
  });

  it("waits 10 s for the edge in use, then uses another, and tells who waits", async () => {
    const { clock, edges, arrives, lose, log } = await running([10], [20]);
    await clock.advance(4000);
    await lose(0);
    const waiting = fateOf(edges.session());
    await clock.advance(9999);
    expect(waiting.now).toBe("pending");
    await clock.advance(1);
    expect(waiting.now).toMatchObject({ isOpen: true });
    expect(await arrives()).toBe(1);
    expect(log.lines).toContain("info New streams go by the edge at edge 1");
  });

  it("stays with an edge that is back within 10 s", async () => {
    const { clock, edges, edgeAt, arrives, lose } = await running([10], [20]);
    await clock.advance(4000);
    await lose(0);
    const waiting = fateOf(edges.session());
    await clock.advance(5000);
    edgeAt(0).mood = "answers";
    await clock.advance(4000);
    expect(waiting.now).toMatchObject({ isOpen: true });
    await clock.advance(20_000);
    expect(await arrives()).toBe(0);
  });

  it("goes back once the nearest has been there for 5 s, and keeps the streams elsewhere", async () => {
    const { clock, edges, edgeAt, arrives, lose } = await running([10], [20]);
    await clock.advance(4000);
    await lose(0);
    await clock.advance(10_000);
    const { stream } = (await edges.session()).open(Command.Connect, target, new Uint8Array());
    await clock.advance(100);
    edgeAt(0).mood = "answers";
    await clock.advance(3100);
    expect(await arrives()).toBe(1);
    await clock.advance(6000);
    expect(await arrives()).toBe(0);
    const atEdge = edgeAt(1).incoming[0]?.stream;
    void atEdge?.write(Uint8Array.of(7));
    await clock.advance(100);
    expect(await stream.read()).toEqual(Uint8Array.of(7));
  });

  it("does not go back to one that comes and goes", async () => {
    const { clock, edgeAt, arrives, lose } = await running([10], [20]);
    await clock.advance(4000);
    await lose(0);
    await clock.advance(10_000);
    for (let i = 0; i < 5; i++) {
      edgeAt(0).mood = "answers";
      await clock.advance(3500);
      expect(await arrives()).toBe(1);
      await lose(0);
      await clock.advance(3000);
    }
  });

  it("takes whoever comes first when all are away", async () => {
    const { clock, edges, edgeAt, lose } = await running([10], [20]);
    await clock.advance(4000);
    await lose(0);
    await lose(1);
    const early = fateOf(edges.session());
    await clock.advance(11_000);
    expect(early.now).toMatchObject({ reason: "edge-unavailable" });
    expect(early.now).toMatchObject({
      message: expect.stringContaining("connect ECONNREFUSED") as string,
    });
    const late = fateOf(edges.session());
    edgeAt(1).mood = "answers";
    await clock.advance(4000);
    expect(late.now).toMatchObject({ isOpen: true });
  });

  it("moves to an edge that has been twice as near at three looks", async () => {
    const { clock, edgeAt, arrives } = await running([100], [150]);
    await clock.advance(4000);
    expect(await arrives()).toBe(0);
    edgeAt(1).delayMs = 20;
    await clock.advance(60_000);
    expect(await arrives()).toBe(0);
    await clock.advance(90_000);
    expect(await arrives()).toBe(1);
  });

  it("stays where it is for less than that", async () => {
    const { clock, edgeAt, arrives } = await running([100], [150]);
    await clock.advance(4000);
    edgeAt(1).delayMs = 60;
    await clock.advance(600_000);
    expect(await arrives()).toBe(0);
  });

  it("tells each that the network has changed, and whether this machine has slept", async () => {
    const { clock, edges, told } = await running([10], [20, "is out of reach"]);
    await clock.advance(4000);
    edges.networkChanged(false);
    edges.networkChanged(true);
    expect(told).toEqual([
      [false, true],
      [false, true],
    ]);
  });

  it("ends them all, leaves no timer, and takes nobody any more", async () => {
    const { clock, edges, ended, lose } = await running([10], [20]);
    await clock.advance(4000);
    await lose(0);
    const waiting = fateOf(edges.session());
    edges.stop();
    await clock.advance(100);
    await ended;
    expect(waiting.now).toMatchObject({ reason: "edge-unavailable" });
    expect(clock.timerCount).toBe(0);
    await expect(edges.session()).rejects.toMatchObject({ reason: "edge-unavailable" });
  });
});
