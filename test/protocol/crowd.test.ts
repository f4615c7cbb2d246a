import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Crowd } from "../../protocol/crowd.ts";

describe("Crowd", () => {
  it("lets in as many as there is room for", () => {
    const crowd = new Crowd({ max: 2, maxPerPlace: 9 });
    const leave = crowd.enter("a");
    expect(crowd.enter("b")).toBeDefined();
    expect(crowd.enter("c")).toBeUndefined();
    leave?.();
    expect(crowd.enter("c")).toBeDefined();
  });

  it("lets in as many from one place as it may", () => {
    const crowd = new Crowd({ max: 9, maxPerPlace: 1 });
    const leave = crowd.enter("a");
    expect(crowd.enter("a")).toBeUndefined();
    expect(crowd.enter("b")).toBeDefined();
    leave?.();
    expect(crowd.enter("a")).toBeDefined();
  });

  it("counts those from no place for the whole only", () => {
    const crowd = new Crowd({ max: 3, maxPerPlace: 1 });
    expect(crowd.enter(undefined)).toBeDefined();
    expect(crowd.enter(undefined)).toBeDefined();
    expect(crowd.count).toBe(2);
  });

  it("lets nobody out twice", () => {
    const crowd = new Crowd({ max: 9, maxPerPlace: 9 });
    const leave = crowd.enter("a");
    crowd.enter("a");
    leave?.();
    leave?.();
    expect(crowd.count).toBe(1);
  });

  it("counts right, whoever comes and goes", () => {
    const steps = fc.array(fc.tuple(fc.constantFrom("a", "b", undefined), fc.boolean()));
    fc.assert(
      fc.property(steps, (moves) => {
        const crowd = new Crowd({ max: 4, maxPerPlace: 2 });
        const inside: { place: string | undefined; leave: () => void }[] = [];
        for (const [place, isComing] of moves) {
          const here = inside.filter((one) => one.place === place).length;
          const hasRoom = inside.length < 4 && (place === undefined || here < 2);
          if (!isComing) inside.shift()?.leave();
          else {
            const leave = crowd.enter(place);
            expect(leave !== undefined).toBe(hasRoom);
            if (leave) inside.push({ place, leave });
          }
          expect(crowd.count).toBe(inside.length);
        }
      }),
    );
  });
});
