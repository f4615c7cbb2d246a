import { describe, expect, it } from "vitest";
import { RoundTrip } from "../../protocol/round-trip.ts";

describe("RoundTrip", () => {
  it("knows nothing before it was told", () => {
    expect(new RoundTrip().minMs).toBeUndefined();
  });

  it("is the least of late", () => {
    const roundTrip = new RoundTrip();
    for (const [at, elapsedMs] of [80, 50, 120].entries()) roundTrip.add(elapsedMs, at * 1000);
    expect(roundTrip.minMs).toBe(50);
  });

  it("forgets what is older than 20 s and keeps what is younger than 10 s", () => {
    const roundTrip = new RoundTrip();
    roundTrip.add(50, 0);
    roundTrip.add(90, 9000);
    roundTrip.add(100, 11_000);
    expect(roundTrip.minMs).toBe(50);
    roundTrip.add(120, 22_000);
    expect(roundTrip.minMs).toBe(100);
  });

  it("keeps what it has while nothing is measured, and takes the next for new", () => {
    const roundTrip = new RoundTrip();
    roundTrip.add(50, 0);
    expect(roundTrip.minMs).toBe(50);
    roundTrip.add(200, 60_000);
    expect(roundTrip.minMs).toBe(200);
  });
});
