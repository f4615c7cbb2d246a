import { describe, expect, it } from "vitest";
import { type ByteChannel, relay } from "../../protocol/channel.ts";
import { FakeChannel } from "../support/fake-channel.ts";
import { hex, toHex } from "../support/hex.ts";
import { sessionPair } from "../support/session-pair.ts";
import { fateOf, patternOf, readAll } from "../support/stream-bytes.ts";

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe("relay()", () => {
  it("carries both directions, and ends each on its own", async () => {
    const left = new FakeChannel(hex("01"), hex("0203"));
    const right = new FakeChannel(hex("aa"));
    const fate = fateOf(relay(left, right));
    left.farEnd();
    await turn();
    expect([toHex(right.written), right.hasEnded]).toEqual(["010203", true]);
    expect([left.hasEnded, fate.now]).toEqual([false, "pending"]);
    right.arrive(hex("bbcc"));
    right.farEnd();
    await turn();
    expect([toHex(left.written), left.hasEnded]).toEqual(["aabbcc", true]);
    expect(fate.now).toEqual({ leftToRight: 3, rightToLeft: 3 });
  });

  it("counts as it goes, in the totals that it was given", async () => {
    const totals = { leftToRight: 10, rightToLeft: 0 };
    const left = new FakeChannel(hex("0102"));
    void relay(left, new FakeChannel(), totals);
    await turn();
    expect(totals).toEqual({ leftToRight: 12, rightToLeft: 0 });
  });

  it("aborts both sides with the reason of the one that failed", async () => {
    const left = new FakeChannel();
    const right = new FakeChannel();
    const relaying = relay(left, right);
    right.breakOff();
    await expect(relaying).rejects.toMatchObject({ reason: "connection-reset" });
    expect(left.abortReason).toMatchObject({ reason: "connection-reset" });
    expect(right.abortReason).toBe(left.abortReason);
  });

  it("aborts a side that takes nothing when the other breaks", async () => {
    const left = new FakeChannel(hex("01"));
    const right = new FakeChannel();
    right.write = () => new Promise(() => {});
    const relaying = relay(left, right);
    await turn();
    left.breakOff();
    await expect(relaying).rejects.toMatchObject({ reason: "connection-reset" });
    expect(right.abortReason).toBe(left.abortReason);
  });

  it.each(["left", "right"] as const)(
    "hears that the %s side has broken while both pumps wait for the other",
    async (broken) => {
      const sides = { left: new FakeChannel(hex("01")), right: new FakeChannel(hex("02")) };
      const { left, right } = sides;
      const other = broken === "left" ? right : left;
      other.write = () => new Promise(() => {});
      const relaying = relay(left, right);
      await turn();
      sides[broken].breakOff();
      await expect(relaying).rejects.toMatchObject({ reason: "connection-reset" });
      expect(other.abortReason).toMatchObject({ reason: "connection-reset" });
    },
  );

  it("does not read on while a write has not been taken", async () => {
    const left = new FakeChannel(hex("01"), hex("02"), hex("03"));
    const taken = Promise.withResolvers<void>();
    const right = new FakeChannel();
    right.write = () => taken.promise;
    const totals = { leftToRight: 0, rightToLeft: 0 };
    const relaying = relay(left, right, totals);
    await turn();
    expect(totals.leftToRight).toBe(1);
    right.breakOff();
    taken.resolve();
    await expect(relaying).rejects.toThrow();
  });

  it("carries more than every window from one stream to another, both ways", async () => {
    const { agent, clock, incoming } = await sessionPair();
    const open = (): ByteChannel =>
      agent.open(1, { kind: "name", host: "a.example", port: 1 }, hex("")).stream;
    const [one, two] = [open(), open()];
    await clock.run();
    const [left, right] = incoming.map(({ stream }) => stream);
    if (!left || !right) throw new Error("Nothing was opened");
    const relaying = relay(left, right);
    const [atOne, atTwo] = [readAll(one), readAll(two)];
    const writing = [
      one.write(patternOf(1, 20_000)).then(() => one.end()),
      two.write(patternOf(2, 7000)).then(() => two.end()),
    ];
    await clock.run();
    expect(atTwo).toEqual({ bytes: [...patternOf(1, 20_000)], end: null });
    expect(atOne).toEqual({ bytes: [...patternOf(2, 7000)], end: null });
    await Promise.all(writing);
    expect([await relaying, agent.streamCount]).toEqual([
      { leftToRight: 20_000, rightToLeft: 7000 },
      0,
    ]);
  });
});
