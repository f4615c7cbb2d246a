import type { LookupOptions } from "node:dns";
import { lookup } from "node:dns/promises";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { lookupFamilies } from "../../../edge-worker/node/lookup-families.ts";
import type { Policy } from "../../../edge-worker/policy/policy.ts";
import { type Address, formatAddress, parseAddress } from "../../../protocol/address.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { strictPolicy } from "../../support/policies.ts";

// No query leaves this machine: the resolver is what a test says.
vi.mock("node:dns/promises", () => ({ lookup: vi.fn() }));

type Found = { readonly address: string; readonly family: number };

const anything: Policy = () => undefined;
const name = parseAddress("site.example", 443);
let clock: FakeClock;
/** What was asked for (0: both families), each answered by the test. */
let asked: Map<number, PromiseWithResolvers<readonly Found[]>>;

const at = (address: string): Found => ({ address, family: address.includes(":") ? 6 : 4 });
const error = (code: string): Error => Object.assign(new Error(code), { code });

function answer(family: number, ...hosts: readonly string[]): void {
  asked.get(family)?.resolve(hosts.map(at));
}

/** What became of the lookups: addresses as text, the reason of a failure, or nothing yet. */
function start(policy = anything) {
  const seen: { ipv6?: unknown; ipv4?: unknown; hasSettled?: true } = {};
  const { ipv6, ipv4, settled } = lookupFamilies(name, policy, clock);
  const watch = (key: "ipv6" | "ipv4", lookup: Promise<readonly Address[]>): void => {
    lookup.then(
      (addresses) => (seen[key] = addresses.map(formatAddress).join(" ")),
      ({ reason }: { reason: string }) => (seen[key] = reason),
    );
  };
  watch("ipv6", ipv6);
  watch("ipv4", ipv4);
  void settled.then(() => (seen.hasSettled = true));
  return seen;
}

beforeEach(() => {
  clock = new FakeClock();
  asked = new Map();
  vi.mocked(lookup).mockImplementation(((_name: string, { family }: LookupOptions) => {
    const lookup = Promise.withResolvers<readonly Found[]>();
    asked.set(Number(family), lookup);
    return lookup.promise;
  }) as never);
});

afterEach(() => void vi.mocked(lookup).mockReset());

describe("lookupFamilies()", () => {
  it("asks once for both families, in the resolver's order, with the port of the name", async () => {
    const seen = start();
    answer(0, "2600::2", "1.0.0.2", "2600::1", "1.0.0.1");
    await clock.run();
    expect(seen).toEqual({
      ipv6: "[2600::2]:443 [2600::1]:443",
      ipv4: "1.0.0.2:443 1.0.0.1:443",
      hasSettled: true,
    });
    const options = { all: true, family: 0, verbatim: true };
    expect(lookup).toHaveBeenCalledExactlyOnceWith("site.example", options);
    expect(clock.timerCount).toBe(0);
  });

  it("asks nobody for a family that the hosts file has no line for", async () => {
    const seen = start();
    answer(0, "1.0.0.1");
    await clock.advance(1000);
    expect(seen).toMatchObject({ ipv6: "", ipv4: "1.0.0.1:443" });
    expect([...asked.keys()]).toEqual([0]);
  });

  it("asks for each family by itself when both together are slow", async () => {
    const seen = start();
    await clock.advance(249);
    expect([...asked.keys()]).toEqual([0]);
    await clock.advance(1);
    expect(new Set(asked.keys())).toEqual(new Set([0, 4, 6]));
    answer(4, "1.0.0.1");
    await clock.run();
    expect(seen).toEqual({ ipv4: "1.0.0.1:443" });
    answer(0, "1.0.0.1", "2600::1");
    await clock.run();
    expect(seen).toEqual({ ipv4: "1.0.0.1:443", ipv6: "[2600::1]:443" });
    answer(6, "2600::1");
    await clock.run();
    expect(seen.hasSettled).toBe(true);
  });

  it("has not settled before everything that it started has", async () => {
    const seen = start();
    await clock.advance(250);
    answer(4, "1.0.0.1");
    answer(6, "2600::1");
    await clock.run();
    expect(seen).toEqual({ ipv4: "1.0.0.1:443", ipv6: "[2600::1]:443" });
    asked.get(0)?.reject(error("EAI_AGAIN"));
    await clock.run();
    expect(seen.hasSettled).toBe(true);
  });

  it.each([
    ["ENOTFOUND", "name-not-found"],
    ["ENODATA", "name-not-found"],
    ["EAI_AGAIN", "host-unreachable"],
  ])("tells of %s", async (code, reason) => {
    const seen = start();
    asked.get(0)?.reject(error(code));
    await clock.run();
    expect(seen).toEqual({ ipv6: reason, ipv4: reason, hasSettled: true });
  });
});

describe("lookupFamilies() and the policy", () => {
  it("leaves out what the policy refuses", async () => {
    const seen = start(strictPolicy);
    answer(0, "10.0.0.1", "1.0.0.1", "127.0.0.1", "::1", "2600::1");
    await clock.run();
    expect(seen).toMatchObject({ ipv6: "[2600::1]:443", ipv4: "1.0.0.1:443" });
  });

  it("leaves out what the policy refuses of a family that was asked for by itself", async () => {
    const seen = start(strictPolicy);
    await clock.advance(250);
    answer(4, "10.0.0.1", "1.0.0.1");
    answer(6, "::1");
    await clock.run();
    expect(seen).toMatchObject({ ipv6: "denied", ipv4: "1.0.0.1:443" });
  });

  it("tells that all addresses of a family are denied", async () => {
    const seen = start(strictPolicy);
    answer(0, "10.0.0.1", "127.0.0.1", "2600::1");
    await clock.run();
    expect(seen).toMatchObject({ ipv6: "[2600::1]:443", ipv4: "denied" });
  });

  it("asks about address, port and name", async () => {
    const policy = vi.fn<Policy>();
    start(policy);
    answer(0, "1.0.0.1");
    await clock.run();
    expect(policy).toHaveBeenCalledExactlyOnceWith(parseAddress("1.0.0.1", 443), "site.example");
  });

  it("leaves out what is no address", async () => {
    const seen = start(strictPolicy);
    answer(0, "fe80::1%eth0", "", "not an address", "1.0.0.1");
    await clock.run();
    expect(seen).toMatchObject({ ipv6: "", ipv4: "1.0.0.1:443" });
  });
});
