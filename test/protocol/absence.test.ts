import { describe, expect, it } from "vitest";
import { Absence } from "../../protocol/absence.ts";
import { FakeClock } from "../support/fake-clock.ts";

function begun(limitMs: number) {
  const clock = new FakeClock();
  const looks: number[] = [];
  const overs: number[] = [];
  const absence = new Absence(clock, limitMs, {
    look: () => void looks.push(clock.now()),
    over: () => void overs.push(clock.now()),
  });
  return { clock, absence, looks, overs };
}

describe("Absence", () => {
  it("looks at once and each second, until it is over", async () => {
    const { clock, looks, overs } = begun(2500);
    await clock.advance(10_000);
    expect([looks, overs, clock.timerCount]).toEqual([[0, 1000, 2000], [2500], 0]);
  });

  it("leaves no timer when it is ended", async () => {
    const { clock, absence, looks, overs } = begun(60_000);
    await clock.advance(1500);
    absence.end();
    await clock.advance(100_000);
    expect([looks, overs, clock.timerCount]).toEqual([[0, 1000], [], 0]);
  });
});
