import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { AWAITED, Backoff, rangeOf, UNREACHABLE } from "../../protocol/backoff.ts";

/** Just below 1, the most that a random() gives. */
const ALMOST_ONE = 1 - Number.EPSILON / 2;
const range = { firstMs: 100, maxMs: 1000, growth: 2 };

const pauses = (backoff: Backoff, count: number): number[] =>
  Array.from({ length: count }, () => backoff.nextMs(range));

describe("Backoff.nextMs()", () => {
  it("doubles its bound from the first pause to the longest", () => {
    const longest = pauses(new Backoff(() => ALMOST_ONE), 6).map(Math.round);
    expect(longest).toEqual([100, 200, 400, 800, 1000, 1000]);
  });

  it("never pauses for less than a tenth of the bound", () => {
    const shortest = pauses(new Backoff(() => 0), 6).map(Math.round);
    expect(shortest).toEqual([10, 20, 40, 80, 100, 100]);
  });

  it("spreads its pauses evenly in between", () => {
    expect(new Backoff(() => 0.5).nextMs(range)).toBeCloseTo(55);
  });

  it("asks for a new random number each time", () => {
    const numbers = [0, 0.5, 0];
    const backoff = new Backoff(() => numbers.shift() ?? 1);
    expect(pauses(backoff, 3).map(Math.round)).toEqual([10, 110, 40]);
  });

  it("stays within the range after any number of attempts", () =>
    fc.assert(
      fc.property(
        fc.nat(3000),
        fc.double({ min: 0, max: ALMOST_ONE, noNaN: true }),
        (count, random) => {
          const last = pauses(new Backoff(() => random), count + 1).at(-1);
          expect(last).toBeGreaterThanOrEqual(range.firstMs / 10);
          expect(last).toBeLessThanOrEqual(range.maxMs);
        },
      ),
      { numRuns: 30 },
    ));

  it("is more frequent where streams wait, and comes to the same longest pause", () => {
    const boundsOf = (each: typeof AWAITED): number[] => {
      const backoff = new Backoff(() => ALMOST_ONE);
      return Array.from({ length: 80 }, () => Math.round(backoff.nextMs(each)));
    };
    const [awaited, other] = [boundsOf(AWAITED), boundsOf(UNREACHABLE)];
    expect(awaited.slice(0, 4)).toEqual([50, 55, 61, 67]);
    for (const [at, bound] of awaited.entries()) expect(bound).toBeLessThanOrEqual(other[at] ?? 0);
    expect([awaited.at(-1), other.at(-1)]).toEqual([30_000, 30_000]);
  });

  it("is rarer for an edge that refuses than for one out of reach", () => {
    const refused = rangeOf({ isRefused: true, isAwaited: false });
    expect(refused.firstMs).toBeGreaterThanOrEqual(UNREACHABLE.maxMs);
    expect(refused.maxMs).toBeGreaterThan(UNREACHABLE.maxMs);
  });

  it("is that of one out of reach for one that refuses while streams wait", () => {
    expect(rangeOf({ isRefused: true, isAwaited: true })).toBe(UNREACHABLE);
    expect(rangeOf({ isRefused: false, isAwaited: true })).toBe(AWAITED);
    expect(rangeOf({ isRefused: false, isAwaited: false })).toBe(UNREACHABLE);
  });
});

describe("Backoff.reset()", () => {
  it("begins anew with the first pause", () => {
    const backoff = new Backoff(() => ALMOST_ONE);
    pauses(backoff, 5);
    backoff.reset();
    expect(pauses(backoff, 2).map(Math.round)).toEqual([100, 200]);
  });
});
