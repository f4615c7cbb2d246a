import { describe, expect, it } from "vitest";
import { DeliveryRate } from "../../protocol/delivery-rate.ts";

/** Adds rates, 50 ms apart, of a sender that uses all it may. */
function fed(rates: readonly number[], rate = new DeliveryRate(), from = 0): DeliveryRate {
  for (const [at, value] of rates.entries()) rate.add(value, false, from + at * 50, 50);
  return rate;
}

describe("DeliveryRate", () => {
  it("is the highest of the last six round trips", () => {
    expect(new DeliveryRate().best).toBe(0);
    expect(fed([10, 90, 20, 20, 20, 20, 20]).best).toBe(90);
    expect(fed([10, 90, 20, 20, 20, 20, 20, 20]).best).toBe(20);
  });

  it("passes over what a sender with little to send reaches, unless it is more", () => {
    const rate = fed([100]);
    for (let count = 0; count < 100; count++) rate.add(1, true, count * 1000, 50);
    expect(rate.best).toBe(100);
    rate.add(150, true, 200_000, 50);
    expect(rate.best).toBe(150);
  });

  it("counts a span of 25 ms at least, so that one hiccup is not six", () => {
    const rate = fed([100]);
    for (let at = 26; at < 100; at++) rate.add(5, false, at, 0.3);
    expect(rate.best).toBe(100);
  });

  it("is flat once it has not grown by a quarter for three spans, until it is begun again", () => {
    const growing = fed([10, 20, 40, 80]);
    expect(growing.isFlat).toBe(false);
    const flat = fed([10, 20, 40, 41, 42, 43, 44]);
    expect(flat.isFlat).toBe(true);
    expect(fed([60, 60, 60], flat, 1000).isFlat).toBe(true);
    expect(fed([90, 90], flat, 2000).isFlat).toBe(false);
    fed([90, 90, 90, 90], flat, 3000);
    expect(flat.isFlat).toBe(true);
    flat.restart();
    expect(flat.isFlat).toBe(false);
  });
});
