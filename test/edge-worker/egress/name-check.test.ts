import { afterEach, describe, expect, it, vi } from "vitest";
import { createNameCheck } from "../../../edge-worker/egress/name-check.ts";
import { parseAddress } from "../../../protocol/address.ts";
import {
  type Answers,
  dnsJson,
  type FakeResolver,
  startResolver as openResolver,
} from "../../support/fake-resolver.ts";
import { closedPort } from "../../support/target.ts";

const resolvers: FakeResolver[] = [];

async function startResolver(answers: Answers): Promise<FakeResolver> {
  const resolver = await openResolver(answers);
  resolvers.push(resolver);
  return resolver;
}

/** RFC 8484's JSON sibling, as resolvers that speak application/dns-json answer. */
const found = '{"Status":0,"TC":false,"Answer":[{"name":"x","type":1,"TTL":60,"data":"1.2.3.4"}]}';
const found6 = dnsJson(0, "2600::1");
const alias = dnsJson(0, "other.example.", "1.2.3.4");
const aliasAlone = dnsJson(0, "other.example.");
const [ipv4, ipv6] = [parseAddress("1.2.3.4", 0), parseAddress("2600::1", 0)];
const noData = '{"Status":0,"TC":false}';
const emptyAnswer = '{"Status":0,"Answer":[]}';
const nameError = '{"Status":3}';
const serverFailure = '{"Status":2}';

afterEach(() => {
  vi.restoreAllMocks();
  for (const resolver of resolvers.splice(0)) resolver.close();
});

describe("createNameCheck()", () => {
  it.each([
    ["both types have an address", found, found6, [ipv4, ipv6]],
    ["only IPv4 has an address", found, noData, [ipv4]],
    ["only IPv6 has an address", noData, found6, [ipv6]],
    ["one type has an address, the other failed", serverFailure, found6, [ipv6]],
    ["an alias leads to an address", alias, noData, [ipv4]],
    ["an alias leads nowhere", aliasAlone, noData, []],
    ["the name does not exist", nameError, nameError, []],
    ["the name has no address", noData, emptyAnswer, []],
    ["one type has none and the other failed", nameError, serverFailure, undefined],
    ["the resolver fails", serverFailure, serverFailure, undefined],
    ["the resolver answers an HTTP error", "500", "500", undefined],
    ["the resolver answers with garbage", "<html>", "\0\0", undefined],
    ["the resolver answers with other JSON", '{"Status":"3"}', "[3]", undefined],
    ["the resolver hangs up", "hang up", "hang up", undefined],
  ])("tells what it knows when %s", async (_what, A, AAAA, expected) => {
    const { url } = await startResolver({ A, AAAA });
    expect(await createNameCheck(url)("example.com")).toEqual(expected);
  });

  it("asks for both types as application/dns-json, and keeps the URL's own query", async () => {
    const { url, asked, accepted } = await startResolver({ A: found, AAAA: found });
    await createNameCheck(url)("xn--bcher-kva.example");
    const queries = asked.map(({ searchParams }) => Object.fromEntries(searchParams));
    expect(queries).toHaveLength(2);
    expect(queries).toContainEqual({ ct: "json", name: "xn--bcher-kva.example", type: "A" });
    expect(queries).toContainEqual({ ct: "json", name: "xn--bcher-kva.example", type: "AAAA" });
    expect(accepted).toEqual(["application/dns-json", "application/dns-json"]);
  });

  it("cannot tell when there is no resolver", async () => {
    const check = createNameCheck(`http://127.0.0.1:${await closedPort()}/dns-query`);
    expect(await check("example.com")).toBeUndefined();
  });

  it("waits for a silent resolver for a few seconds only", async () => {
    const { url, asked } = await startResolver({ A: "silence", AAAA: "silence" });
    const timeouts: { milliseconds: number; ending: AbortController }[] = [];
    vi.spyOn(AbortSignal, "timeout").mockImplementation((milliseconds) => {
      const ending = new AbortController();
      timeouts.push({ milliseconds, ending });
      return ending.signal;
    });
    const checking = createNameCheck(url)("example.com");
    await vi.waitUntil(() => asked.length === 2);
    for (const { milliseconds, ending } of timeouts) {
      expect(milliseconds).toBeLessThanOrEqual(5000);
      ending.abort(new DOMException("The time is over", "TimeoutError"));
    }
    expect(await checking).toBeUndefined();
  });
});
