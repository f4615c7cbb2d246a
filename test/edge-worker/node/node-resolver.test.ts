import { lookup, reverse } from "node:dns/promises";
import { afterEach, describe, expect, it, vi } from "vitest";
import { resolveName, reverseAddress } from "../../../edge-worker/node/node-resolver.ts";
import type { Policy } from "../../../edge-worker/policy/policy.ts";
import { formatAddress, parseAddress } from "../../../protocol/address.ts";
import { strictPolicy } from "../../support/policies.ts";

// PTR queries are answered here, as no query may leave this machine; lookup() is the real one, for
// names that no resolver is asked about (RFC 6761).
vi.mock("node:dns/promises", async (importActual) => {
  const actual = await importActual<typeof import("node:dns/promises")>();
  return { ...actual, lookup: vi.fn(actual.lookup), reverse: vi.fn() };
});

const anything: Policy = () => undefined;
const address = parseAddress("192.0.2.1", 0);

afterEach(() => void vi.mocked(reverse).mockReset());

describe("resolveName()", () => {
  it("gives a loopback address for localhost, with the port of the name", async () => {
    const found = await resolveName(parseAddress("localhost", 443), anything);
    expect(["127.0.0.1:443", "[::1]:443"]).toContain(formatAddress(found));
  });

  it.each(["127.0.0.1", "::1"])("gives %s for itself", async (host) => {
    expect(await resolveName(parseAddress(host, 0), anything)).toEqual(parseAddress(host, 0));
  });

  it("tells of a name that does not exist", async () => {
    const looking = resolveName(parseAddress("no-such-name.invalid", 0), anything);
    await expect(looking).rejects.toMatchObject({ name: "StreamError", reason: "name-not-found" });
  });

  it("denies a name whose address the policy refuses", async () => {
    const looking = resolveName(parseAddress("localhost", 0), strictPolicy);
    await expect(looking).rejects.toMatchObject({
      reason: "denied",
      message: "Cannot connect: the address is special-purpose (loopback)",
    });
  });
});

describe("resolveName() of a name with several addresses", () => {
  const answers = (...addresses: readonly string[]): void => {
    const found = addresses.map((address) => ({ address, family: address.includes(":") ? 6 : 4 }));
    // The overload for { all: true }, which mocks cannot choose.
    vi.mocked(lookup as unknown as () => Promise<typeof found>).mockResolvedValueOnce(found);
  };
  const name = parseAddress("several.example", 80);

  it("gives the first one that the policy allows", async () => {
    answers("10.0.0.1", "::1", "1.1.1.1", "8.8.8.8");
    expect(await resolveName(name, strictPolicy)).toEqual(parseAddress("1.1.1.1", 80));
  });

  it("denies it when the policy allows none", async () => {
    answers("10.0.0.1", "::1");
    await expect(resolveName(name, strictPolicy)).rejects.toMatchObject({ reason: "denied" });
  });

  it("tells of a name without an address", async () => {
    answers();
    await expect(resolveName(name, strictPolicy)).rejects.toMatchObject({
      reason: "name-not-found",
    });
  });
});

describe("reverseAddress()", () => {
  it("gives the first name, in canonical form and without a port", async () => {
    vi.mocked(reverse).mockResolvedValue(["DNS.Example.", "other.example"]);
    expect(await reverseAddress({ ...address, port: 53 })).toEqual(parseAddress("dns.example", 0));
    expect(reverse).toHaveBeenCalledExactlyOnceWith("192.0.2.1");
  });

  it.each([
    ["ENOTFOUND", "name-not-found"],
    ["ENODATA", "name-not-found"],
    ["EAI_AGAIN", "host-unreachable"],
    ["EINVAL", "general"],
  ])("tells of %s", async (code, reason) => {
    vi.mocked(reverse).mockRejectedValue(Object.assign(new Error(code), { code }));
    await expect(reverseAddress(address)).rejects.toMatchObject({ name: "StreamError", reason });
  });

  it.each([[[]], [["not a name"]]])("tells that %j is no name", async (names: string[]) => {
    vi.mocked(reverse).mockResolvedValue(names);
    await expect(reverseAddress(address)).rejects.toMatchObject({ reason: "name-not-found" });
  });
});
