import { describe, expect, it } from "vitest";
import { Command } from "../../protocol/wire.ts";
import { target } from "../support/bridge-parts.ts";
import { resumingUplink } from "../support/resuming-uplink.ts";

const none = new Uint8Array();
const windows = { streamWindow: 262_144, sessionWindow: 4_194_304, carrierWindow: 1_048_576 };
const MESSAGE = new Uint8Array(60_000).fill(7);

/** An uplink with two carriers, 20 ms from its edge, and streams to a target that takes all. */
async function running(maxCarriers = 4) {
  const parts = await resumingUplink(2, maxCarriers, { delayMs: 10, windows });
  const { clock, uplink, egress } = parts;
  const session = await uplink.session();
  const open = async () => {
    const { stream } = (await uplink.session()).open(Command.Connect, target, none);
    await clock.advance(50);
    const dial = egress().dials.at(-1);
    dial?.succeed();
    await clock.advance(50);
    if (!dial) throw new Error("The edge has not dialled");
    return { stream, channel: dial.channel };
  };
  /** Uploads on these streams for some time, ten messages a second each. */
  const upload = async (
    streams: readonly { write(bytes: Uint8Array): Promise<void> }[],
    s: number,
  ) => {
    for (let tenth = 0; tenth < s * 10; tenth++) {
      for (const stream of streams) void stream.write(MESSAGE).catch(() => {});
      await clock.advance(100);
    }
  };
  return { ...parts, session, open, upload };
}

describe("PoolKeeper, of an uplink", () => {
  it("dials one more when those there are have much to do, up to what the edge announces", async () => {
    const { pairs, open, upload, dialledAt } = await running(3);
    const first = [(await open()).stream, (await open()).stream];
    await upload(first, 5);
    expect(pairs).toHaveLength(3);
    const third = await open();
    await upload([...first, third.stream], 5);
    expect(dialledAt).toHaveLength(3);
  });

  it("puts a new stream on the carrier that has nothing to do", async () => {
    const { pairs, open, upload } = await running();
    const first = [(await open()).stream, (await open()).stream];
    await upload(first, 5);
    const { stream, channel } = await open();
    const before = pairs[2]?.sent.left.length ?? 0;
    await upload([stream], 1);
    expect(channel.written.length).toBe(600_000);
    expect(pairs[2]?.sent.left.length).toBeGreaterThan(before);
  });

  it("ends what is not needed a minute later, and no stream notices", async () => {
    const { clock, session, open, upload, failures, log } = await running();
    const streams = [await open(), await open()];
    await upload(
      streams.map(({ stream }) => stream),
      5,
    );
    // One that leans on the third carrier, and has nothing to say for long.
    const quiet = await open();
    expect(session.linkCount).toBe(3);
    for (const { stream } of streams) await stream.end();
    await clock.advance(150_000);
    expect(session.linkCount).toBe(2);
    void quiet.stream.write(Uint8Array.of(1, 2, 3));
    await clock.advance(100);
    expect([...quiet.channel.written]).toEqual([1, 2, 3]);
    expect(streams.map(({ channel }) => channel.written.length)).toEqual([3_000_000, 3_000_000]);
    // It was no loss: nobody is told of one.
    expect([failures, log.lines.filter((line) => line.includes("lost"))]).toEqual([[], []]);
    await clock.advance(2500);
    expect(session.carriers.retained).toBe(0);
  });

  it("keeps to the pauses between dials while others have much to do", async () => {
    const { network, open, upload, dialledAt, clock } = await running();
    const first = [(await open()).stream, (await open()).stream];
    network.isUp = false;
    await upload(first, 20);
    await clock.run();
    const pauses = dialledAt.slice(3).map((at, i) => at - (dialledAt[i + 2] ?? 0));
    // A tenth of the bounds, as random() says 0 here.
    expect(pauses.slice(0, 10)).toEqual([25, 50, 100, 200, 400, 800, 1600, 3000, 3000, 3000]);
  });

  it("has no timer of its own while nothing moves", async () => {
    const { clock, uplink } = await running();
    await clock.advance(100_000);
    const before = clock.timerCount;
    await uplink.session();
    expect(clock.timerCount).toBe(before + 1);
    await clock.advance(1000);
    expect(clock.timerCount).toBe(before);
  });

  it("ends what is beyond a smaller size once it is at rest", async () => {
    const { clock, session, uplink } = await running();
    uplink.keep({ least: 1, most: 1 });
    expect(session.linkCount).toBe(2);
    await clock.advance(5000);
    expect(session.linkCount).toBe(1);
  });
});
