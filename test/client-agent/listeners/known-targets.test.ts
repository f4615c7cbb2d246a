import { describe, expect, it } from "vitest";
import { KnownTargets } from "../../../client-agent/listeners/known-targets.ts";
import { parseAddress } from "../../../protocol/address.ts";
import { FakeClock } from "../../support/fake-clock.ts";

const target = parseAddress("example.com", 443);

describe("KnownTargets", () => {
  it("knows a target for ten minutes from its last connection", async () => {
    const clock = new FakeClock();
    const targets = new KnownTargets(clock);
    expect(targets.has(target)).toBe(false);
    targets.add(target);
    await clock.advance(500_000);
    targets.add(target);
    await clock.advance(599_999);
    expect(targets.has(target)).toBe(true);
    await clock.advance(1);
    expect(targets.has(target)).toBe(false);
  });

  it("tells ports apart, and forgets what it is told to", () => {
    const targets = new KnownTargets(new FakeClock());
    targets.add(target);
    expect(targets.has(parseAddress("example.com", 80))).toBe(false);
    targets.delete(target);
    expect(targets.has(target)).toBe(false);
  });

  it("keeps the latest 4,096", () => {
    const targets = new KnownTargets(new FakeClock());
    for (let i = 0; i <= 4096; i++) targets.add(parseAddress(`n${i}.example`, 1));
    expect(targets.has(parseAddress("n0.example", 1))).toBe(false);
    expect(targets.has(parseAddress("n1.example", 1))).toBe(true);
    expect(targets.has(parseAddress("n4096.example", 1))).toBe(true);
  });
});
