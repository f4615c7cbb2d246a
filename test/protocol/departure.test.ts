import { describe, expect, it } from "vitest";
import { Departure } from "../../protocol/departure.ts";
import { FakeClock } from "../support/fake-clock.ts";

/** A clock on which each event is a turn of its own, and what is gathered waits for gathered(). */
class EventClock extends FakeClock {
  readonly #waiting: (() => void)[] = [];

  readonly gather = (callback: () => void): void => void this.#waiting.push(callback);

  gathered(): void {
    for (const callback of this.#waiting.splice(0)) callback();
  }
}

/** A departure, and when it departed. */
function departureBy<Time extends FakeClock>(clock: Time) {
  const times: number[] = [];
  const departure = new Departure(clock, () => times.push(clock.now()));
  return { clock, departure, times };
}

describe("Departure.soon()", () => {
  it("departs once a turn, however often it is asked", async () => {
    const { clock, departure, times } = departureBy(new FakeClock());
    for (let i = 0; i < 3; i++) departure.soon();
    expect(times).toEqual([]);
    await clock.run();
    expect(times).toEqual([0]);
    departure.soon();
    await clock.run();
    expect(times).toEqual([0, 0]);
  });
});

describe("Departure.together()", () => {
  it("is the same where one turn is for all events", async () => {
    const { clock, departure, times } = departureBy(new FakeClock());
    for (let i = 0; i < 3; i++) {
      departure.together();
      await clock.run();
    }
    expect(times).toHaveLength(3);
  });

  it("departs at once when nothing has for a while", async () => {
    const { clock, departure, times } = departureBy(new EventClock());
    for (const at of [0, 1, 2]) {
      departure.together();
      await clock.run();
      expect(times.at(-1)).toBe(at);
      await clock.advance(1);
    }
  });

  it("waits for other events right behind a departure, once for all of them", async () => {
    const { clock, departure, times } = departureBy(new EventClock());
    departure.together();
    await clock.run();
    for (let i = 0; i < 5; i++) {
      departure.together();
      await clock.run();
    }
    expect(times).toHaveLength(1);
    clock.gathered();
    expect(times).toHaveLength(2);
    clock.gathered();
    expect(times).toHaveLength(2);
  });

  it("does not keep what must not wait", async () => {
    const { clock, departure, times } = departureBy(new EventClock());
    departure.soon();
    await clock.run();
    departure.together();
    departure.soon();
    await clock.run();
    expect(times).toHaveLength(2);
  });
});
