import { describe, expect, it } from "vitest";
import { type NextLook, PoolWatch } from "../../protocol/pool-watch.ts";
import { FakeClock } from "../support/fake-clock.ts";

/** A watch whose looks say in turn when the next is due. */
function watching(...answers: readonly NextLook[]) {
  const clock = new FakeClock();
  const begins: number[] = [];
  const looks: number[] = [];
  const watch = new PoolWatch(
    clock,
    () => void begins.push(clock.now()),
    () => answers[looks.push(clock.now()) - 1] ?? "never",
  );
  return { clock, begins, looks, watch };
}

describe("PoolWatch", () => {
  it("looks once a second, more rarely where nothing moves, and no more when told so", async () => {
    const { clock, begins, looks, watch } = watching("soon", "soon", "later", "never");
    expect(clock.timerCount).toBe(0);
    watch.rouse();
    watch.rouse();
    expect(clock.timerCount).toBe(1);
    await clock.advance(60_000);
    expect([begins, looks]).toEqual([[0], [1000, 2000, 3000, 13_000]]);
    expect(clock.timerCount).toBe(0);
  });

  it("looks a second after it was roused, whether it was at rest or not", async () => {
    const { clock, begins, looks, watch } = watching("later", "never");
    watch.rouse();
    await clock.advance(5000);
    watch.rouse();
    expect(clock.timerCount).toBe(1);
    await clock.advance(5000);
    watch.rouse();
    await clock.advance(5000);
    expect([begins, looks]).toEqual([
      [0, 5000, 10_000],
      [1000, 6000, 11_000],
    ]);
  });

  it("looks no more once it is stopped", async () => {
    const { clock, looks, watch } = watching("soon");
    watch.rouse();
    watch.stop();
    await clock.advance(60_000);
    expect([looks, clock.timerCount]).toEqual([[], 0]);
  });
});
