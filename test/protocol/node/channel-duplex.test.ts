import { once } from "node:events";
import { finished } from "node:stream/promises";
import { text } from "node:stream/consumers";
import { describe, expect, it } from "vitest";
import { StreamError } from "../../../protocol/errors.ts";
import { ChannelDuplex } from "../../../protocol/node/channel-duplex.ts";
import { FakeChannel } from "../../support/fake-channel.ts";

const bytes = (chars: string): Uint8Array => new TextEncoder().encode(chars);

describe("ChannelDuplex", () => {
  it("reads what the channel reads, though the channel uses its memory again", async () => {
    const channel = new FakeChannel(bytes("one "), bytes("two "), bytes("three"));
    channel.farEnd();
    const duplex = new ChannelDuplex(channel);
    expect(await text(duplex)).toBe("one two three");
  });

  it("writes and ends the channel, and goes on reading", async () => {
    const channel = new FakeChannel();
    const duplex = new ChannelDuplex(channel);
    duplex.write("one ");
    duplex.end("two");
    await once(duplex, "finish");
    expect(channel).toMatchObject({ hasEnded: true, abortReason: undefined });
    expect(Buffer.from(channel.written).toString()).toBe("one two");
    channel.arrive(bytes("late"));
    channel.farEnd();
    expect(await text(duplex)).toBe("late");
  });

  it("counts both ways", async () => {
    const totals = { leftToRight: 0, rightToLeft: 0 };
    const channel = new FakeChannel(bytes("down"));
    channel.farEnd();
    const duplex = new ChannelDuplex(channel, totals);
    duplex.end("up");
    await Promise.all([text(duplex), once(duplex, "close")]);
    expect(totals).toEqual({ leftToRight: 2, rightToLeft: 4 });
  });

  it("does not take a chunk before the channel has taken the one before", async () => {
    const channel = new FakeChannel();
    const taken = Promise.withResolvers<void>();
    const sizes: number[] = [];
    channel.write = (chunk) => {
      sizes.push(chunk.length);
      return taken.promise;
    };
    const duplex = new ChannelDuplex(channel);
    duplex.write("first");
    duplex.end("second");
    expect(sizes).toEqual([5]);
    taken.resolve();
    await once(duplex, "finish");
    expect(sizes).toEqual([5, 6]);
  });

  it("breaks with the channel, with its reason", async () => {
    const channel = new FakeChannel();
    const duplex = new ChannelDuplex(channel);
    const ended = finished(duplex);
    channel.breakOff();
    await expect(ended).rejects.toMatchObject({ reason: "connection-reset" });
  });

  it.each([
    ["as not wanted", undefined, "cancelled"],
    ["with its reason", new StreamError("timed-out", "Too late"), "timed-out"],
  ])("aborts the channel %s when it is destroyed", async (_how, error, reason) => {
    const channel = new FakeChannel();
    const duplex = new ChannelDuplex(channel).on("error", () => {});
    duplex.destroy(error);
    expect(channel.abortReason).toMatchObject({ reason });
  });
});
