import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { TokenBucket } from "../../../edge-worker/users/token-bucket.ts";
import { SEED } from "../../support/arbitraries.ts";

const BURST = 1_000_000;

describe("TokenBucket", () => {
  it("lets a second's worth pass at once, then makes wait for what is owed", () => {
    const bucket = new TokenBucket(BURST, 0);
    expect(bucket.take(BURST, 0)).toBe(0);
    expect(bucket.take(500_000, 0)).toBe(500);
    expect(bucket.take(500_000, 0)).toBe(1000);
    expect(bucket.take(0, 1000)).toBe(0);
  });

  it("fills with time, up to its burst", () => {
    const bucket = new TokenBucket(BURST, 0);
    bucket.take(BURST, 0);
    expect(bucket.takeNow(300_001, 300)).toBe(false);
    expect(bucket.takeNow(300_000, 300)).toBe(true);
    expect(bucket.takeNow(BURST + 1, 1e9)).toBe(false);
    expect(bucket.takeNow(BURST, 1e9)).toBe(true);
  });

  it("takes a chunk that is larger than its burst", () => {
    const bucket = new TokenBucket(1000, 0);
    expect(bucket.take(262_144 + 5000, 0)).toBe(5000);
  });

  it("never lets more pass than its rate and one burst allow, whoever asks for how much", () => {
    const step = fc.record({ bytes: fc.nat(400_000), waitMs: fc.nat(2000) });
    const property = fc.property(fc.array(step), (steps) => {
      const bucket = new TokenBucket(BURST, 0);
      let now = 0;
      let lastDone = 0;
      let passed = 0;
      for (const { bytes, waitMs } of steps) {
        now += waitMs;
        const done = now + bucket.take(bytes, now);
        expect(done).toBeGreaterThanOrEqual(Math.min(lastDone, done));
        lastDone = Math.max(lastDone, done);
        passed += bytes;
        expect(passed).toBeLessThanOrEqual(BURST + (lastDone / 1000) * BURST + 1);
      }
    });
    fc.assert(property, SEED);
  });
});
