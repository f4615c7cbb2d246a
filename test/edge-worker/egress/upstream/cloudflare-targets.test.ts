import { describe, expect, it } from "vitest";
import { createCloudflareTargets } from "../../../../edge-worker/egress/upstream/cloudflare-targets.ts";
import { parseAddress } from "../../../../protocol/address.ts";
import { FakeClock } from "../../../support/fake-clock.ts";

/** Targets by a resolver that knows these names, and what it was asked. */
function targets(addresses: Readonly<Record<string, readonly string[]>>) {
  const asked: string[] = [];
  const blocked = createCloudflareTargets(new FakeClock(), async (name) => {
    asked.push(name);
    return addresses[name]?.map((host) => parseAddress(host, 0));
  });
  return { blocked, asked };
}

const site = parseAddress("site.example", 443);

describe("createCloudflareTargets()", () => {
  it.each(["104.16.1.1", "2606:4700::1"])("finds a name that has %s", async (address) => {
    const { blocked } = targets({ "site.example": ["192.0.2.1", address] });
    expect(await blocked.learn(site)).toBe(true);
    expect(blocked.has(site)).toBe(true);
  });

  it("leaves out names elsewhere, and those that could not be resolved", async () => {
    const { blocked, asked } = targets({ "site.example": ["192.0.2.1"], "none.example": [] });
    for (const name of ["site.example", "none.example", "unknown.example"]) {
      expect(await blocked.learn(parseAddress(name, 443))).toBe(false);
    }
    expect(asked).toHaveLength(3);
  });

  it("asks nobody about an address", async () => {
    const { blocked, asked } = targets({});
    expect(blocked.has(parseAddress("104.16.1.1", 443))).toBe(true);
    expect(await blocked.learn(parseAddress("192.0.2.1", 443))).toBe(false);
    expect(asked).toEqual([]);
  });

  it("says for people what it is about", () => {
    expect(targets({}).blocked.what).toBe("in Cloudflare's own ranges");
  });
});
