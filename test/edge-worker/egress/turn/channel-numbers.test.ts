import { describe, expect, it } from "vitest";
import { ChannelNumbers } from "../../../../edge-worker/egress/turn/channel-numbers.ts";
import { FakeClock } from "../../../support/fake-clock.ts";

const MINUTE_MS = 60_000;

describe("ChannelNumbers.reserve()", () => {
  it("gives each peer a number of its own, and keeps it", async () => {
    const clock = new FakeClock();
    const numbers = new ChannelNumbers(clock);
    expect(numbers.reserve("a")).toBe(0x4000);
    expect(numbers.reserve("b")).toBe(0x4001);
    await clock.advance(14 * MINUTE_MS);
    expect(numbers.reserve("a")).toBe(0x4000);
    await clock.advance(14 * MINUTE_MS);
    expect(numbers.reserve("a")).toBe(0x4000);
  });

  it("gives a number to another peer after fifteen minutes, and not before", async () => {
    const clock = new FakeClock();
    const numbers = new ChannelNumbers(clock);
    for (let i = 0; i < 4096; i++) expect(numbers.reserve(`${i}`)).toBe(0x4000 + i);
    expect(numbers.reserve("late")).toBeUndefined();
    await clock.advance(5 * MINUTE_MS);
    expect(numbers.reserve("0")).toBe(0x4000);
    await clock.advance(10 * MINUTE_MS - 1);
    expect(numbers.reserve("late")).toBeUndefined();
    await clock.advance(1);
    expect(numbers.reserve("late")).toBe(0x4001);
    expect(numbers.reserve("0")).toBe(0x4000);
  });
});
