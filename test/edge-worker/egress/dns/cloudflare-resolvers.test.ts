import { describe, expect, it } from "vitest";
import { dohEndpointOf } from "../../../../edge-worker/egress/dns/cloudflare-resolvers.ts";
import { parseHost } from "../../../../protocol/address.ts";

const own = "https://dns.example/dns-query";

describe("dohEndpointOf()", () => {
  it.each([
    ["1.1.1.1", "https://cloudflare-dns.com/dns-query"],
    ["2606:4700:4700:0::1001", "https://cloudflare-dns.com/dns-query"],
    ["1.0.0.2", "https://security.cloudflare-dns.com/dns-query"],
    ["1.1.1.3", "https://family.cloudflare-dns.com/dns-query"],
    ["2606:4700:4700::64", "https://dns64.cloudflare-dns.com/dns-query"],
  ])("knows where %s answers by HTTPS", (host, endpoint) => {
    expect(dohEndpointOf(parseHost(host), undefined)).toBe(endpoint);
    expect(dohEndpointOf(parseHost(host), own)).toBe(own);
    expect(dohEndpointOf(parseHost(host), "")).toBeUndefined();
  });

  it.each(["9.9.9.9", "1.1.1.4", "2606:4700:4700::1", "one.one.one.one"])(
    "leaves %s alone",
    (host) => {
      expect(dohEndpointOf(parseHost(host), undefined)).toBeUndefined();
      expect(dohEndpointOf(parseHost(host), own)).toBeUndefined();
    },
  );
});
