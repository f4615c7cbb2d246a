import { describe, expect, it } from "vitest";
import { createResolver } from "../../../../edge-worker/egress/dns/resolver.ts";
import type { Policy } from "../../../../edge-worker/policy/policy.ts";
import { formatAddress, parseAddress } from "../../../../protocol/address.ts";
import { StreamError } from "../../../../protocol/errors.ts";
import { strictPolicy } from "../../../support/policies.ts";

const name = parseAddress("example.com", 443);
const anything: Policy = () => undefined;

/** A resolver whose source finds these records; "down" when it gives no answer. */
function resolverOf(data: readonly string[] | "down") {
  const look = async () => {
    if (data === "down") throw new StreamError("host-unreachable", "Cannot resolve: no answer");
    return { data, ttlMs: 0 };
  };
  return createResolver({ addressesOf: look, namesOf: look });
}

describe("createResolver().resolve()", () => {
  it.each([
    ["the first address, with the name's port", ["1.2.3.4", "2600::1"], "1.2.3.4:443"],
    ["the first that is allowed", ["10.0.0.1", "::1", "2600::1"], "[2600::1]:443"],
    ["what is an address", ["a.example", "1.2.3.4"], "1.2.3.4:443"],
  ])("gives %s", async (_what, data, address) => {
    expect(formatAddress(await resolverOf(data).resolve(name, strictPolicy))).toBe(address);
  });

  it.each<[string, readonly string[] | "down", string]>([
    ["no such name", [], "name-not-found"],
    ["private addresses alone", ["10.0.0.1", "fd00::1"], "denied"],
    ["a source without an answer", "down", "host-unreachable"],
  ])("tells of %s", async (_what, data, reason) => {
    await expect(resolverOf(data).resolve(name, strictPolicy)).rejects.toMatchObject({ reason });
  });
});

describe("createResolver().resolveAll()", () => {
  it("gives all addresses that are allowed, in their order", async () => {
    const data = ["2600::1", "10.0.0.1", "1.2.3.4"];
    const found = await resolverOf(data).resolveAll(name, strictPolicy);
    expect(found.map(formatAddress)).toEqual(["[2600::1]:443", "1.2.3.4:443"]);
    expect(await resolverOf(data).resolveAll(name, anything)).toHaveLength(3);
  });
});

describe("createResolver().reverse()", () => {
  const address = parseAddress("192.0.2.1", 53);

  it("gives the first name, in canonical form and without a port", async () => {
    const found = await resolverOf(["DNS.Example.", "other.example"]).reverse(address);
    expect(found).toEqual(parseAddress("dns.example", 0));
  });

  it.each<[string, readonly string[] | "down", string]>([
    ["no name", [], "name-not-found"],
    ["what cannot be a name", ["a b/c"], "name-not-found"],
    ["a source without an answer", "down", "host-unreachable"],
  ])("tells of %s", async (_what, data, reason) => {
    await expect(resolverOf(data).reverse(address)).rejects.toMatchObject({ reason });
  });
});

describe("createResolver().nameCheck()", () => {
  it("gives all addresses, without a port", async () => {
    const found = await resolverOf(["1.2.3.4", "a.example", "::1"]).nameCheck("example.com");
    expect(found).toEqual([parseAddress("1.2.3.4", 0), parseAddress("::1", 0)]);
  });

  it("gives none for a name without addresses, and nothing when nobody could say", async () => {
    expect(await resolverOf([]).nameCheck("example.com")).toEqual([]);
    expect(await resolverOf("down").nameCheck("example.com")).toBeUndefined();
  });
});
