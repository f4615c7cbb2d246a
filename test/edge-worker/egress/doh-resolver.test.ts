import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import {
  arpaNameOf,
  createDohResolver,
  hostOfArpaName,
} from "../../../edge-worker/egress/doh-resolver.ts";
import type { Policy } from "../../../edge-worker/policy/policy.ts";
import { hostOfOctets, parseAddress } from "../../../protocol/address.ts";
import { SEED } from "../../support/arbitraries.ts";
import {
  type Answers,
  dnsJson,
  type FakeResolver,
  startResolver,
} from "../../support/fake-resolver.ts";
import { strictPolicy } from "../../support/policies.ts";

const name = parseAddress("example.com", 0);
const anything: Policy = () => undefined;
const resolvers: FakeResolver[] = [];

async function dohBy(answers: Answers) {
  const resolver = await startResolver(answers);
  resolvers.push(resolver);
  return { asked: resolver.asked, ...createDohResolver(resolver.url) };
}

const none = dnsJson(0);
const missing = dnsJson(3);
const failing = dnsJson(2);

afterEach(() => {
  for (const resolver of resolvers.splice(0)) resolver.close();
});

describe("createDohResolver().resolve()", () => {
  it.each<[string, Answers, string]>([
    ["an IPv4 address", { A: dnsJson(0, "1.2.3.4"), AAAA: none }, "1.2.3.4"],
    ["an IPv6 address", { A: none, AAAA: dnsJson(0, "2600::1") }, "2600::1"],
    ["IPv4 before IPv6", { A: dnsJson(0, "1.2.3.4"), AAAA: dnsJson(0, "2600::1") }, "1.2.3.4"],
    ["the address of an alias", { A: dnsJson(0, "a.example.", "1.2.3.4"), AAAA: none }, "1.2.3.4"],
    ["one type, though the other failed", { A: failing, AAAA: dnsJson(0, "2600::1") }, "2600::1"],
    ["the first that is allowed", { A: dnsJson(0, "10.0.0.1", "1.2.3.4"), AAAA: none }, "1.2.3.4"],
  ])("finds %s", async (_what, answers, host) => {
    const { resolve } = await dohBy(answers);
    expect(await resolve(name, strictPolicy)).toEqual(parseAddress(host, 0));
  });

  it.each<[string, Answers, string]>([
    ["no such name", { A: missing, AAAA: missing }, "name-not-found"],
    ["a name without addresses", { A: none, AAAA: none }, "name-not-found"],
    ["an alias that leads nowhere", { A: dnsJson(0, "a.example."), AAAA: none }, "name-not-found"],
    ["a resolver that fails", { A: failing, AAAA: failing }, "host-unreachable"],
    ["a resolver that fails in part", { A: missing, AAAA: failing }, "host-unreachable"],
    [
      "private addresses alone",
      { A: dnsJson(0, "10.0.0.1"), AAAA: dnsJson(0, "fd00::1") },
      "denied",
    ],
  ])("tells of %s", async (_what, answers, reason) => {
    const { resolve } = await dohBy(answers);
    await expect(resolve(name, strictPolicy)).rejects.toMatchObject({ reason });
  });

  it("asks for both types at once", async () => {
    const { resolve, asked } = await dohBy({ A: missing, AAAA: missing });
    await expect(resolve(name, anything)).rejects.toMatchObject({ reason: "name-not-found" });
    const types = asked.map(({ searchParams }) => searchParams.get("type"));
    expect(types).toHaveLength(2);
    expect(new Set(types)).toEqual(new Set(["A", "AAAA"]));
  });
});

describe("createDohResolver().reverse()", () => {
  it("finds the name of an address, in canonical form", async () => {
    const { reverse, asked } = await dohBy({ PTR: dnsJson(0, "DNS.Example.") });
    expect(await reverse(parseAddress("192.0.2.1", 0))).toEqual(parseAddress("dns.example", 0));
    expect(asked[0]?.searchParams.get("name")).toBe("1.2.0.192.in-addr.arpa");
  });

  it.each([
    ["no name", missing, "name-not-found"],
    ["what cannot be a name", dnsJson(0, "a b/c"), "name-not-found"],
    ["a resolver that fails", failing, "host-unreachable"],
  ])("tells of %s", async (_what, PTR, reason) => {
    const { reverse } = await dohBy({ PTR });
    const looking = reverse(parseAddress("192.0.2.1", 0));
    await expect(looking).rejects.toMatchObject({ name: "StreamError", reason });
  });
});

describe("arpaNameOf()", () => {
  it.each([
    ["1.2.3.4", "4.3.2.1.in-addr.arpa"],
    // The example of RFC 3596 section 2.5.
    [
      "4321:0:1:2:3:4:567:89ab",
      "b.a.9.8.7.6.5.0.4.0.0.0.3.0.0.0.2.0.0.0.1.0.0.0.0.0.0.0.1.2.3.4.ip6.arpa",
    ],
  ])("turns %s around", (host, arpa) => {
    expect(arpaNameOf(host)).toBe(arpa);
  });
});

describe("hostOfArpaName()", () => {
  it("is the inverse of arpaNameOf()", () => {
    const octets = fc.oneof(
      fc.uint8Array({ minLength: 4, maxLength: 4 }),
      fc.uint8Array({ minLength: 16, maxLength: 16 }),
      fc.array(fc.constantFrom(0, 0, 0, 1), { minLength: 16, maxLength: 16 }),
    );
    fc.assert(
      fc.property(octets, (bytes) => {
        const { host } = hostOfOctets(Uint8Array.from(bytes));
        expect(hostOfArpaName(arpaNameOf(host))).toBe(host);
      }),
      SEED,
    );
  });

  it("reads upper case, and a trailing dot", () => {
    expect(hostOfArpaName("4.3.2.1.IN-ADDR.ARPA.")).toBe("1.2.3.4");
  });

  it.each([
    "example.com",
    "",
    "in-addr.arpa",
    "3.2.1.in-addr.arpa",
    "5.4.3.2.1.in-addr.arpa",
    "256.3.2.1.in-addr.arpa",
    "x.3.2.1.in-addr.arpa",
    "4.3.2.1.ip6.arpa",
    `${"g.".repeat(32)}ip6.arpa`,
    `${"0.".repeat(31)}ip6.arpa`,
    `${"00.".repeat(32)}ip6.arpa`,
    `${"00.".repeat(15)}${".".repeat(17)}ip6.arpa`,
  ])("gives undefined for %j", (other) => {
    expect(hostOfArpaName(other)).toBeUndefined();
  });

  it("never throws, and what it gives is an address", () => {
    const label = fc.oneof(fc.stringMatching(/^[0-9a-f]{0,2}$/), fc.string({ maxLength: 3 }));
    const zone = fc.constantFrom("in-addr.arpa", "ip6.arpa", "arpa");
    fc.assert(
      fc.property(fc.array(label, { maxLength: 33 }), zone, (labels, end) => {
        const host = hostOfArpaName([...labels, end].join("."));
        if (host !== undefined) expect(parseAddress(host, 0).kind).not.toBe("name");
      }),
      SEED,
    );
  });
});
