import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { WaitingRoom } from "../../../client-agent/listeners/waiting-room.ts";

/** A room with guests that are named, and who was crowded out of it. */
function roomOf(limit: number) {
  const room = new WaitingRoom(limit);
  const crowdedOut: string[] = [];
  const take = (host: string, name: string) => room.take(host, () => crowdedOut.push(name));
  return { crowdedOut, take };
}

describe("WaitingRoom", () => {
  it("crowds out the oldest of the address that has most", () => {
    const { crowdedOut, take } = roomOf(4);
    take("a", "a1");
    take("b", "b1");
    take("b", "b2");
    take("b", "b3");
    take("c", "c1");
    expect(crowdedOut).toEqual(["b1"]);
    take("b", "b4");
    take("b", "b5");
    expect(crowdedOut).toEqual(["b1", "b2", "b3"]);
  });

  it("has room again for who has left, however often that says so", () => {
    const { crowdedOut, take } = roomOf(2);
    const leave = take("a", "a1");
    take("a", "a2");
    leave();
    leave();
    take("a", "a3");
    expect(crowdedOut).toEqual([]);
    take("a", "a4");
    expect(crowdedOut).toEqual(["a2"]);
  });

  it("never holds more than its limit, nor crowds out without need", () =>
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 5 }),
        fc.array(fc.tuple(fc.constantFrom("a", "b", "c"), fc.boolean()), { maxLength: 60 }),
        (limit, events) => {
          const room = new WaitingRoom(limit);
          const inside: (() => void)[] = [];
          for (const [host, comes] of events) {
            if (!comes) {
              inside.shift()?.();
              continue;
            }
            const before = inside.length;
            const leave = room.take(host, () => inside.splice(inside.indexOf(leave), 1));
            inside.push(leave);
            expect(inside).toHaveLength(Math.min(before + 1, limit));
          }
        },
      ),
    ));
});
