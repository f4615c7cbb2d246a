import * as v from "valibot";
import { describe, expect, it } from "vitest";
import { credential, dnsUrls, ipAddress, portRange, turnUrl } from "../../cli/outbound-types.ts";

describe("dnsUrls", () => {
  it.each([
    ["system", []],
    ["https://dns.example/q", ["https://dns.example/q"]],
    [
      "https://a.example/q, http://127.0.0.1:53/q",
      ["https://a.example/q", "http://127.0.0.1:53/q"],
    ],
    [
      ["https://a.example/q", "https://b.example/q"],
      ["https://a.example/q", "https://b.example/q"],
    ],
  ])("reads %j", (input, urls) => {
    expect(v.parse(dnsUrls, input)).toEqual(urls);
  });

  it.each(["", "systems", "dns.example", "ftp://dns.example/", ["system"], [], "https://a b/", 53])(
    "refuses %j",
    (input) => {
      expect(v.safeParse(dnsUrls, input).issues?.[0]?.message).toMatch(
        /^expected system, or https:/,
      );
    },
  );
});

describe("turnUrl", () => {
  it("reads a URI of RFC 7065, and says what it wants", () => {
    expect(v.parse(turnUrl, "turns:turn.example")).toMatchObject({ isSecure: true });
    expect(v.safeParse(turnUrl, "https://turn.example").issues?.[0]?.message).toMatch(
      /^expected turn:/,
    );
  });
});

describe("credential", () => {
  it.each(["ann", "x".repeat(169), "pass word \u{e9}"])("takes %j", (text) => {
    expect(v.parse(credential, text)).toBe(text);
  });

  it.each(["", "x".repeat(170), "a\nb", "a\0b"])("refuses %j", (text) => {
    expect(v.safeParse(credential, text).success).toBe(false);
  });
});

describe("ipAddress", () => {
  it("takes addresses of both families, and nothing else", () => {
    expect(v.parse(ipAddress, "192.0.2.1")).toEqual({ kind: "ipv4", host: "192.0.2.1" });
    expect(v.parse(ipAddress, "2001:DB8::1")).toEqual({ kind: "ipv6", host: "2001:db8::1" });
    for (const text of ["", "edge.example", "192.0.2.1:80", "[::1]", "127.1", "fe80::1%eth0"]) {
      expect(v.safeParse(ipAddress, text).success, text).toBe(false);
    }
  });
});

describe("portRange", () => {
  it.each([
    ["40000-40100", [40_000, 40_100]],
    ["7-7", [7, 7]],
    ["1-65535", [1, 65_535]],
  ])("reads %s", (text, range) => {
    expect(v.parse(portRange, text)).toEqual(range);
  });

  it.each(["", "40000", "2-1", "0-5", "1-65536", "a-b", "1-2-3", "-5"])("refuses %j", (text) => {
    expect(v.safeParse(portRange, text).issues?.[0]?.message).toMatch(/^expected FIRST-LAST/);
  });
});
