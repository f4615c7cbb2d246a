import fc from "fast-check";
import ipaddr from "ipaddr.js";
import { describe, expect, it } from "vitest";
import {
  type ForwardedField,
  type Origin,
  originOf,
  parseForwarded,
  placeOfAddress,
  type TrustedProxies,
} from "../../edge-worker/forwarded.ts";

const PROXY = "10.0.0.1";

const trusting = (...fields: ForwardedField[]): TrustedProxies => ({
  ranges: ["10.0.0.0/8", "2001:db8:ff::/48"].map((range) => ipaddr.parseCIDR(range)),
  isUnixTrusted: false,
  fields,
});

/** Who is behind a request of `peer` with these fields, to an edge that trusts 10.0.0.0/8. */
function ask(
  fields: Partial<Record<ForwardedField, string>>,
  peer: string | undefined = PROXY,
  proxies = trusting("x-forwarded-for"),
): Origin {
  return originOf(peer, (name) => fields[name], proxies);
}

const xff = (list: string, peer = PROXY): string | undefined =>
  ask({ "x-forwarded-for": list }, peer).address;

describe("originOf() with X-Forwarded-For", () => {
  it("believes no stranger", () => {
    const origin = ask({ "x-forwarded-for": "192.0.2.7" }, "198.51.100.1");
    expect(origin).toEqual({ address: "198.51.100.1", host: undefined, isForwarded: false });
  });

  it("takes what a trusted proxy says", () => expect(xff("192.0.2.7")).toBe("192.0.2.7"));

  it("knows a proxy by its IPv4 address in IPv6", () => {
    expect(xff("192.0.2.7", "::ffff:10.0.0.1")).toBe("192.0.2.7");
  });

  it("reads from the right, past trusted proxies, and no further than the first other", () => {
    expect(xff("203.0.113.1, 192.0.2.7, 10.0.0.9")).toBe("192.0.2.7");
    expect(xff("127.0.0.1, 192.0.2.7")).toBe("192.0.2.7");
  });

  it("takes the leftmost where all are trusted", () => {
    expect(xff("10.0.0.3, 10.0.0.2")).toBe("10.0.0.3");
  });

  it.each([
    ["192.0.2.7:4711", "192.0.2.7"],
    ["2001:db8::7", "2001:db8::7"],
    ["[2001:DB8:0::7]", "2001:db8::7"],
    ["[2001:db8::7]:4711", "2001:db8::7"],
    ["::ffff:192.0.2.7", "192.0.2.7"],
  ])("reads %s", (text, address) => expect(xff(text)).toBe(address));

  it.each([
    "",
    "unknown",
    "_hidden",
    "example.com",
    "127.1",
    "0x7f.0.0.1",
    "1.2.3.4.5",
    ",,",
    "[::1",
  ])("stays with the proxy for %j", (text) => expect(xff(text)).toBe(PROXY));

  it("stays with the last good address before nonsense", () => {
    expect(xff("192.0.2.7, nonsense, 10.0.0.9")).toBe("10.0.0.9");
  });

  it("passes over Forwarded and X-Forwarded-Host, which it was not told to believe", () => {
    const fields = { forwarded: "for=192.0.2.9;host=evil.example", "x-forwarded-host": "evil" };
    expect(ask({ ...fields, "x-forwarded-for": "192.0.2.7" })).toMatchObject({
      address: "192.0.2.7",
      host: undefined,
    });
  });

  it("looks at the last 32 of a list at most", () => {
    const list = ["192.0.2.7", ...Array.from({ length: 40 }, (_, i) => `10.0.1.${i}`)];
    expect(xff(list.join(","))).toBe("10.0.1.8");
  });
});

describe("originOf() with X-Forwarded-Host", () => {
  const proxies = trusting("x-forwarded-for", "x-forwarded-host");

  it("takes the host that the nearest proxy has added", () => {
    const fields = {
      "x-forwarded-for": "192.0.2.7",
      "x-forwarded-host": "evil.example, edge.example",
    };
    expect(ask(fields, PROXY, proxies).host).toBe("edge.example");
  });

  it("believes no stranger", () => {
    expect(ask({ "x-forwarded-host": "evil.example" }, "192.0.2.1", proxies).host).toBeUndefined();
  });
});

describe("originOf() with Forwarded", () => {
  const forwarded = (text: string): Origin =>
    ask({ forwarded: text }, PROXY, trusting("forwarded"));

  it.each([
    ["for=192.0.2.43", "192.0.2.43", undefined],
    ['For="[2001:db8:cafe::17]:4711"', "2001:db8:cafe::17", undefined],
    ["for=192.0.2.60;proto=http;by=203.0.113.43", "192.0.2.60", undefined],
    ["for=203.0.113.1, for=192.0.2.7;host=edge.example", "192.0.2.7", "edge.example"],
    ['for="192.0.2.7:80";host="edge.example:8443"', "192.0.2.7", "edge.example:8443"],
    [
      "for=192.0.2.7;host=edge.example, for=10.0.0.9;host=inner.example",
      "192.0.2.7",
      "edge.example",
    ],
  ])("reads %s", (text, address, host) => expect(forwarded(text)).toMatchObject({ address, host }));

  it("leaves the host of elements that the client may have made up", () => {
    const text = "for=203.0.113.1;host=evil.example, for=192.0.2.7";
    expect(forwarded(text)).toMatchObject({ address: "192.0.2.7", host: undefined });
  });

  it.each(["for=unknown", "for=_x", "for", "for=", 'for="192.0.2.7', "for=1;for=2", "proto=https"])(
    "stays with the proxy for %s",
    (text) => expect(forwarded(text).address).toBe(PROXY),
  );
});

describe("originOf() by a Unix socket", () => {
  it("is nobody's address, and believed only where told so", () => {
    const fields = { "x-forwarded-for": "192.0.2.7" };
    const proxies = trusting("x-forwarded-for");
    const get = (name: ForwardedField) => (name === "x-forwarded-for" ? fields[name] : undefined);
    expect(originOf(undefined, get, proxies).address).toBeUndefined();
    const believing = { ...proxies, isUnixTrusted: true };
    expect(originOf(undefined, get, believing).address).toBe("192.0.2.7");
  });
});

describe("parseForwarded()", () => {
  const quote = (text: string): string => `"${text.replaceAll(/["\\]/g, "\\$&")}"`;

  it("reads what RFC 7239 allows", () => {
    const value = fc.string({
      unit: fc.integer({ min: 32, max: 126 }).map((c) => String.fromCharCode(c)),
    });
    const hop = fc.record({ node: value, host: value });
    fc.assert(
      fc.property(fc.array(hop), (hops) => {
        const text = hops
          .map(({ node, host }) => `For=${quote(node)};host=${quote(host)}`)
          .join(", ");
        expect(parseForwarded(text)).toEqual(hops);
      }),
    );
  });

  it("takes any text without a throw", () => {
    const text = fc.oneof(fc.string(), fc.stringMatching(/^[for=;, "\\a1.]*$/));
    fc.assert(fc.property(text, (list) => void parseForwarded(list)));
  });
});

describe("originOf()", () => {
  it("never believes more than the trusted proxies have added, whatever stands left of it", () => {
    fc.assert(
      fc.property(fc.string(), (made) => {
        expect(xff(`${made}, 192.0.2.7`)).toBe("192.0.2.7");
      }),
    );
  });
});

describe("placeOfAddress()", () => {
  it.each([
    ["192.0.2.7", "192.0.2.7"],
    ["::ffff:192.0.2.7", "192.0.2.7"],
    ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
    ["fe80::1%eth0", "fe80::/64"],
    [undefined, undefined],
  ])("counts %s for %s", (host, place) => expect(placeOfAddress(host)).toBe(place));
});
