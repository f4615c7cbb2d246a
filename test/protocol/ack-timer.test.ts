import { describe, expect, it } from "vitest";
import { AckTimer } from "../../protocol/ack-timer.ts";
import { FakeClock } from "../support/fake-clock.ts";

function create() {
  const clock = new FakeClock();
  const calls: number[] = [];
  const timer = new AckTimer(clock, () => calls.push(clock.now()));
  return { clock, calls, timer };
}

describe("AckTimer", () => {
  it("is heard 2 s after a frame, once for all that came meanwhile [M-76]", async () => {
    const { clock, calls, timer } = create();
    timer.frame();
    await clock.advance(1500);
    timer.frame();
    timer.payload(16_383);
    await clock.advance(499);
    expect(calls).toEqual([]);
    await clock.advance(1);
    expect(calls).toEqual([2000]);
    await clock.advance(10_000);
    expect([calls.length, clock.timerCount]).toEqual([1, 0]);
  });

  it("is heard 25 ms after 16 KiB without an ACK, and again for the next [M-86]", async () => {
    const { clock, calls, timer } = create();
    timer.payload(16_384);
    await clock.advance(24);
    timer.payload(30_000);
    expect(calls).toEqual([]);
    await clock.advance(1);
    expect(calls).toEqual([25]);
    timer.payload(16_384);
    await clock.advance(25);
    expect(calls).toEqual([25, 50]);
  });

  it("leaves no timer when it is stopped", () => {
    const { clock, timer } = create();
    timer.frame();
    timer.payload(100_000);
    timer.stop();
    expect(clock.timerCount).toBe(0);
  });
});
