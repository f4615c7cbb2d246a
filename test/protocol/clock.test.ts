import { describe, expect, it } from "vitest";
import { pause } from "../../protocol/clock.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { fateOf } from "../support/stream-bytes.ts";

describe("pause()", () => {
  it("resolves when its time has passed, not before", async () => {
    const clock = new FakeClock();
    const fate = fateOf(pause(clock, 100));
    await clock.advance(99);
    expect(fate.now).toBe("pending");
    await clock.advance(1);
    expect(fate.now).toBeUndefined();
  });

  it("resolves when its signal aborts, and leaves no timer", async () => {
    const clock = new FakeClock();
    const stop = new AbortController();
    const fate = fateOf(pause(clock, 100, stop.signal));
    stop.abort();
    await clock.run();
    expect([fate.now, clock.timerCount]).toEqual([undefined, 0]);
  });

  it("does not begin when its signal has aborted", async () => {
    const clock = new FakeClock();
    await pause(clock, 100, AbortSignal.abort());
    expect(clock.timerCount).toBe(0);
  });
});
