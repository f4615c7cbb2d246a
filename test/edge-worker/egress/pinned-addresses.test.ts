import { describe, expect, it } from "vitest";
import type { NameCheck } from "../../../edge-worker/egress/diagnosis.ts";
import { pinnedAddresses } from "../../../edge-worker/egress/pinned-addresses.ts";
import type { Policy } from "../../../edge-worker/policy/policy.ts";
import { formatAddress, parseAddress } from "../../../protocol/address.ts";
import { StreamError } from "../../../protocol/errors.ts";

const name = parseAddress("site.example", 443);
const neverAsked: NameCheck = () => {
  throw new Error("The resolver was asked");
};
/** A resolver that gives these addresses. */
const has =
  (...hosts: readonly string[]): NameCheck =>
  async () =>
    hosts.map((host) => parseAddress(host, 0));

/** Undecided about names; 8.8.8.8 is denied by its address. */
const asked: string[] = [];
const policy: Policy = (address, from) => {
  asked.push(`${formatAddress(address)} ${from ?? ""}`.trim());
  if (address.host === "8.8.8.8") throw new StreamError("denied", "Cannot connect: by a rule");
  return address.kind === "name" ? "open" : undefined;
};

describe("pinnedAddresses()", () => {
  it.each(["1.2.3.4", "2600::1"])("is %s for itself", async (host) => {
    const target = parseAddress(host, 443);
    expect(await pinnedAddresses(target, policy, neverAsked)).toEqual([target]);
  });

  it("is the name, which the platform resolves, where no rule is about addresses", async () => {
    expect(await pinnedAddresses(name, () => undefined, neverAsked)).toEqual([name]);
  });

  it("is the addresses that pass, with the port, where one is", async () => {
    asked.length = 0;
    const found = await pinnedAddresses(name, policy, has("8.8.8.8", "1.2.3.4", "2600::1"));
    expect(found.map(formatAddress)).toEqual(["1.2.3.4:443", "[2600::1]:443"]);
    expect(asked).toEqual([
      "site.example:443",
      "8.8.8.8:443 site.example",
      "1.2.3.4:443 site.example",
      "[2600::1]:443 site.example",
    ]);
  });

  it("is four of many", async () => {
    const many = Array.from({ length: 100 }, (_, i) => `1.2.3.${i}`);
    expect(await pinnedAddresses(name, policy, has(...many))).toHaveLength(4);
  });

  it.each([
    ["every address is denied", has("8.8.8.8"), "denied"],
    ["the name has none", has(), "name-not-found"],
    ["the resolver cannot tell", async () => undefined, "host-unreachable"],
  ])("tells when %s", async (_what, nameCheck, reason) => {
    await expect(pinnedAddresses(name, policy, nameCheck)).rejects.toMatchObject({
      name: "StreamError",
      reason,
    });
  });
});
