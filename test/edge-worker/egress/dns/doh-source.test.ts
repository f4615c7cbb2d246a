import { afterEach, describe, expect, it } from "vitest";
import { createDohSource } from "../../../../edge-worker/egress/dns/doh-source.ts";
import type { Fetch } from "../../../../edge-worker/egress/dns/doh-client.ts";
import { Rcode, RecordType } from "../../../../edge-worker/egress/dns/dns-message.ts";
import { nodeClock } from "../../../../protocol/node/node-clock.ts";
import { type Answer, type FakeResolver, startResolver } from "../../../support/fake-resolver.ts";
import { hex } from "../../../support/hex.ts";
import { closedPort } from "../../../support/target.ts";

const resolvers: FakeResolver[] = [];
const clock = nodeClock;
const missing = Rcode.NameError;
const failing = Rcode.ServerFailure;

/** A source by one resolver, which says this of A, AAAA and PTR. */
async function sourceOf(A: Answer, AAAA: Answer = A, PTR: Answer = A) {
  const resolver = await startResolver((_name, type) => {
    if (type === RecordType.PTR) return PTR;
    return type === RecordType.A ? A : AAAA;
  });
  resolvers.push(resolver);
  return { resolver, ...createDohSource([resolver.url], { clock }) };
}

afterEach(() => {
  for (const resolver of resolvers.splice(0)) resolver.close();
});

describe("createDohSource().addressesOf()", () => {
  it.each<[string, Answer, Answer, string[], number]>([
    ["IPv4 before IPv6", ["192.0.2.1"], ["2001:db8::1"], ["192.0.2.1", "2001:db8::1"], 60_000],
    ["several", ["192.0.2.1", "192.0.2.2"], [], ["192.0.2.1", "192.0.2.2"], 60_000],
    ["one type behind an alias", ["a.test.", "192.0.2.1"], missing, ["192.0.2.1"], 60_000],
    ["one type, though the other failed", failing, ["2001:db8::1"], ["2001:db8::1"], 0],
    ["nothing", missing, missing, [], 0],
    ["nothing without addresses", [], [], [], 0],
    ["nothing behind an alias", ["a.test."], [], [], 0],
  ])("finds %s", async (_what, A, AAAA, data, ttlMs) => {
    const { addressesOf, resolver } = await sourceOf(A, AAAA);
    expect(await addressesOf("x.test")).toEqual({ data, ttlMs });
    expect(new Set(resolver.asked)).toEqual(new Set(["x.test 1", "x.test 28"]));
  });

  it.each<[string, Answer, Answer]>([
    ["a resolver that fails", failing, failing],
    ["a resolver that fails in part", missing, failing],
    ["REFUSED", 5, 5],
    ["garbage", "garbage", "garbage"],
  ])("throws for %s", async (_what, A, AAAA) => {
    const { addressesOf } = await sourceOf(A, AAAA);
    await expect(addressesOf("x.test")).rejects.toMatchObject({ reason: "host-unreachable" });
  });

  it("throws for a name that DNS cannot carry, without asking", async () => {
    const { addressesOf, resolver } = await sourceOf([]);
    await expect(addressesOf("a..b")).rejects.toMatchObject({ reason: "host-unreachable" });
    expect(resolver.asked).toEqual([]);
  });

  it("keeps what is missing for the lesser of the SOA's two numbers", async () => {
    // NXDOMAIN for x.test, with the SOA of test: TTL 900, MINIMUM 300.
    const soa = hex(`0000 8183 0001 0000 0001 0000 01 78 04 74657374 00 0001 0001
      c0 0e 0006 0001 00000384 0016 00 00 00000001 00000002 00000003 00000004 0000012c`);
    const fetcher: Fetch = async (_url, { body }) => {
      const response = soa.slice();
      response.set(body.subarray(-4), 12 + 8);
      return new Response(response);
    };
    const { addressesOf } = createDohSource(["https://dns.example/"], { clock, fetcher });
    expect(await addressesOf("x.test")).toEqual({ data: [], ttlMs: 300_000 });
  });

  it("asks the next resolver when one gives no answer, and not after one that has", async () => {
    const [first, second, third] = [
      await sourceOf(failing),
      await sourceOf(["192.0.2.1"]),
      await sourceOf(["192.0.2.9"]),
    ];
    const down = `http://127.0.0.1:${await closedPort()}/`;
    const urls = [down, ...[first, second, third].map(({ resolver }) => resolver.url)];
    const { addressesOf } = createDohSource(urls, { clock });
    expect((await addressesOf("x.test")).data).toEqual(["192.0.2.1"]);
    expect(first.resolver.asked).toHaveLength(2);
    expect(third.resolver.asked).toEqual([]);
  });
});

describe("createDohSource().namesOf()", () => {
  it("asks for the PTR of an address", async () => {
    const { namesOf, resolver } = await sourceOf([], [], ["dns.example"]);
    expect(await namesOf("192.0.2.1")).toEqual({ data: ["dns.example"], ttlMs: 60_000 });
    expect(resolver.asked).toEqual(["1.2.0.192.in-addr.arpa 12"]);
  });
});
