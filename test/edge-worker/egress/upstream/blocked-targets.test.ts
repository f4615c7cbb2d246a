import { describe, expect, it } from "vitest";
import { BlockedTargets } from "../../../../edge-worker/egress/upstream/blocked-targets.ts";
import { parseAddress } from "../../../../protocol/address.ts";
import { FakeClock } from "../../../support/fake-clock.ts";

const name = (host: string) => parseAddress(host, 443);

function blockedTargets(addresses: Readonly<Record<string, readonly string[]>> = {}) {
  const clock = new FakeClock();
  const asked: string[] = [];
  const blocked = new BlockedTargets({
    clock,
    what: "in a test's range",
    isBlocked: (host) => host.startsWith("192.0.2."),
    addressesOf: async (host) => {
      asked.push(host);
      return addresses[host] ?? [];
    },
  });
  return { blocked, clock, asked };
}

describe("BlockedTargets", () => {
  it("knows addresses without asking", async () => {
    const { blocked, asked } = blockedTargets();
    expect(blocked.has(name("192.0.2.1"))).toBe(true);
    expect(blocked.has(name("198.51.100.1"))).toBe(false);
    expect(await blocked.learn(name("192.0.2.1"))).toBe(true);
    expect(await blocked.learn(name("198.51.100.1"))).toBe(false);
    expect(asked).toEqual([]);
  });

  it("learns names, any of whose addresses is blocked, and asks once", async () => {
    const { blocked, asked } = blockedTargets({ "a.example": ["198.51.100.1", "192.0.2.1"] });
    expect(blocked.has(name("a.example"))).toBe(false);
    expect(await blocked.learn(name("a.example"))).toBe(true);
    expect(blocked.has(name("a.example"))).toBe(true);
    expect(await blocked.learn(name("a.example"))).toBe(true);
    expect(asked).toEqual(["a.example"]);
  });

  it("learns nothing of other names, nor of those that have no address", async () => {
    const { blocked } = blockedTargets({ "a.example": ["198.51.100.1"] });
    expect(await blocked.learn(name("a.example"))).toBe(false);
    expect(await blocked.learn(name("b.example"))).toBe(false);
    expect(blocked.has(name("a.example"))).toBe(false);
  });

  it("forgets a name after five minutes", async () => {
    const { blocked, clock } = blockedTargets({ "a.example": ["192.0.2.1"] });
    await blocked.learn(name("a.example"));
    await clock.advance(299_999);
    expect(blocked.has(name("a.example"))).toBe(true);
    await clock.advance(1);
    expect(blocked.has(name("a.example"))).toBe(false);
  });

  it("remembers 1,024 names, and lets the oldest go", async () => {
    const names = Array.from({ length: 1025 }, (_, i) => `n${i}.example`);
    const { blocked } = blockedTargets(
      Object.fromEntries(names.map((host) => [host, ["192.0.2.1"]])),
    );
    for (const host of names) await blocked.learn(name(host));
    expect(names.filter((host) => !blocked.has(name(host)))).toEqual(["n0.example"]);
  });
});
