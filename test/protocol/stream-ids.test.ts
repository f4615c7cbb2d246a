import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { StreamIds } from "../../protocol/stream-ids.ts";
import { SEED } from "../support/arbitraries.ts";

describe("StreamIds", () => {
  it("takes each id once, in any order [M-18]", () => {
    const ids = fc.array(fc.integer({ min: 1, max: 40 }), { maxLength: 80 });
    const property = fc.property(ids, (order) => {
      const used = new Set<number>();
      const streamIds = new StreamIds(100);
      for (const id of order) {
        expect(streamIds.use(id)).toBe(!used.has(id));
        used.add(id);
      }
      for (let id = 1; id <= 40; id++) expect(streamIds.isUsed(id)).toBe(used.has(id));
    });
    fc.assert(property, { ...SEED, numRuns: 500 });
  });

  it("wants ids that climb when it keeps no gaps [M-19]", () => {
    const ids = new StreamIds(0);
    expect([ids.use(5), ids.use(4), ids.use(5), ids.use(6)]).toEqual([true, false, false, true]);
    expect([ids.isUsed(4), ids.isUsed(7)]).toEqual([true, false]);
  });

  it("forgets the lowest gap beyond its bound: the ids in it count as used", () => {
    const ids = new StreamIds(2);
    for (const id of [2, 4, 6]) ids.use(id);
    expect([ids.use(1), ids.use(3), ids.use(5)]).toEqual([false, true, true]);
  });

  it("keeps to its bound when a gap is split", () => {
    const ids = new StreamIds(1);
    ids.use(10);
    ids.use(5);
    expect([ids.use(3), ids.use(7)]).toEqual([false, true]);
  });
});
