import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatNumber, medianOf, spreadOf, timesBetter } from "../../../bench/report/statistics.ts";

const values = fc.array(fc.double({ min: -1e9, max: 1e9, noNaN: true }), { minLength: 1 });

describe("medianOf()", () => {
  it("is the middle value, whatever the order", () => {
    expect(medianOf([9, 1, 100, 2, 3])).toBe(3);
  });

  it("is the mean of the two in the middle when their number is even", () => {
    expect(medianOf([4, 1, 2, 100])).toBe(3);
  });

  it("sorts by number, not by text", () => {
    expect(medianOf([10, 9, 100])).toBe(10);
  });

  it("does not exist without values", () => {
    expect(medianOf([])).toBeUndefined();
  });

  it("has as many values above as below, and leaves them as they were", () => {
    fc.assert(
      fc.property(values, (samples) => {
        const copy = [...samples];
        const median = medianOf(samples) ?? Number.NaN;
        expect(samples).toEqual(copy);
        const half = samples.length / 2;
        expect(samples.filter((value) => value < median).length).toBeLessThanOrEqual(half);
        expect(samples.filter((value) => value > median).length).toBeLessThanOrEqual(half);
      }),
    );
  });
});

describe("spreadOf()", () => {
  it("is the smallest and the largest value", () => {
    expect(spreadOf([3, -1, 2])).toEqual({ min: -1, max: 3 });
    expect(spreadOf([5])).toEqual({ min: 5, max: 5 });
  });

  it("does not exist without values", () => {
    expect(spreadOf([])).toBeUndefined();
  });

  it("holds the median", () => {
    fc.assert(
      fc.property(values, (samples) => {
        const spread = spreadOf(samples);
        const median = medianOf(samples);
        expect(median).toBeGreaterThanOrEqual(spread?.min ?? Number.NaN);
        expect(median).toBeLessThanOrEqual(spread?.max ?? Number.NaN);
      }),
    );
  });
});

describe("timesBetter()", () => {
  it("is above 1 for the better value, whichever way that is", () => {
    expect(timesBetter(200, 100, "more")).toBe(2);
    expect(timesBetter(5, 10, "less")).toBe(2);
    expect(timesBetter(20, 10, "less")).toBe(0.5);
  });
});

describe("formatNumber()", () => {
  it("keeps three digits", () => {
    expect(formatNumber(1234.5)).toBe("1,230");
    expect(formatNumber(0.012345)).toBe("0.0123");
  });

  it("has a dash for what is no number", () => {
    expect(formatNumber(undefined)).toBe("-");
    expect(formatNumber(Number.NaN)).toBe("-");
    expect(formatNumber(Infinity)).toBe("-");
  });
});
