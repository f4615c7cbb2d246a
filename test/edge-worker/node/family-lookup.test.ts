import { lookup } from "node:dns/promises";
import { afterEach, describe, expect, it, vi } from "vitest";
import { lookupFamily } from "../../../edge-worker/node/family-lookup.ts";
import type { Policy } from "../../../edge-worker/policy/policy.ts";
import { formatAddress, parseAddress } from "../../../protocol/address.ts";
import { strictPolicy } from "../../support/policies.ts";

// No query leaves this machine: the resolver is what a test says.
vi.mock("node:dns/promises", () => ({ lookup: vi.fn() }));

const anything: Policy = () => undefined;
const name = parseAddress("site.example", 443);

/** What the resolver has. */
function resolveTo(...hosts: readonly string[]): void {
  vi.mocked(lookup).mockResolvedValue(hosts.map((address) => ({ address, family: 4 })) as never);
}

afterEach(() => void vi.mocked(lookup).mockReset());

describe("lookupFamily()", () => {
  it("gives all addresses in the resolver's order, with the port of the name", async () => {
    resolveTo("1.0.0.2", "1.0.0.1");
    const found = await lookupFamily(name, 4, anything);
    expect(found.map(formatAddress)).toEqual(["1.0.0.2:443", "1.0.0.1:443"]);
  });

  it.each([4, 6] as const)("asks for IPv%i alone, once", async (family) => {
    resolveTo("1.0.0.1");
    await lookupFamily(name, family, anything);
    const options = { all: true, family, verbatim: true };
    expect(lookup).toHaveBeenCalledExactlyOnceWith("site.example", options);
  });

  it("leaves out what the policy refuses", async () => {
    resolveTo("10.0.0.1", "1.0.0.1", "127.0.0.1");
    expect(await lookupFamily(name, 4, strictPolicy)).toEqual([parseAddress("1.0.0.1", 443)]);
  });

  it("asks the policy about the port, too", async () => {
    resolveTo("1.0.0.1");
    await expect(lookupFamily({ ...name, port: 25 }, 4, strictPolicy)).rejects.toMatchObject({
      reason: "denied",
    });
  });

  it("tells the policy the name, too", async () => {
    resolveTo("1.0.0.1");
    const policy = vi.fn<Policy>();
    await lookupFamily(name, 4, policy);
    expect(policy).toHaveBeenCalledExactlyOnceWith(parseAddress("1.0.0.1", 443), "site.example");
  });

  it("tells that all addresses are denied", async () => {
    resolveTo("10.0.0.1", "127.0.0.1");
    await expect(lookupFamily(name, 4, strictPolicy)).rejects.toMatchObject({
      reason: "denied",
      message: "Cannot connect: the address is special-purpose (private-use)",
    });
  });

  it("leaves out what is no address", async () => {
    resolveTo("fe80::1%eth0", "", "not an address", "1.0.0.1");
    expect(await lookupFamily(name, 4, strictPolicy)).toEqual([parseAddress("1.0.0.1", 443)]);
  });

  it.each([
    ["ENOTFOUND", "name-not-found"],
    ["ENODATA", "name-not-found"],
    ["EAI_AGAIN", "host-unreachable"],
  ])("tells of %s", async (code, reason) => {
    vi.mocked(lookup).mockRejectedValue(Object.assign(new Error(code), { code }));
    await expect(lookupFamily(name, 4, anything)).rejects.toMatchObject({
      name: "StreamError",
      reason,
    });
  });
});
