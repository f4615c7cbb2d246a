import { describe, expect, it } from "vitest";
import { createCloudflareTargets } from "../../../../edge-worker/egress/upstream/cloudflare-targets.ts";
import { parseAddress } from "../../../../protocol/address.ts";
import { FakeClock } from "../../../support/fake-clock.ts";

/** Targets of a resolver that gives these records by "TYPE name", and what it was asked. */
function targets(records: Readonly<Record<string, readonly string[]>>) {
  const asked: string[] = [];
  const blocked = createCloudflareTargets(
    new FakeClock(),
    "https://resolver.example/dns-query",
    async ({ searchParams }) => {
      const question = `${searchParams.get("type")} ${searchParams.get("name")}`;
      asked.push(question);
      const Answer = (records[question] ?? []).map((data) => ({ data }));
      return { json: () => Promise.resolve({ Status: 0, Answer }) };
    },
  );
  return { blocked, asked };
}

const site = parseAddress("site.example", 443);

describe("createCloudflareTargets()", () => {
  it.each([
    ["A", "104.16.1.1"],
    ["AAAA", "2606:4700::1"],
  ])("finds a name by its %s record, past a CNAME", async (type, address) => {
    const { blocked } = targets({ [`${type} site.example`]: ["cdn.example.", address] });
    expect(await blocked.learn(site)).toBe(true);
    expect(blocked.has(site)).toBe(true);
  });

  it("leaves out names elsewhere, and those without an address", async () => {
    const { blocked, asked } = targets({ "A site.example": ["192.0.2.1"] });
    expect(await blocked.learn(site)).toBe(false);
    expect(await blocked.learn(parseAddress("none.example", 443))).toBe(false);
    expect(asked).toHaveLength(4);
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
