import { describe, expect, it } from "vitest";
import { isLocalName, specialRangeOf } from "../../../edge-worker/policy/special-ranges.ts";
import { parseHost } from "../../../protocol/address.ts";

// The registries of RFC 6890: first and last address of each block, or one within it.
const ipv4: readonly [block: string, ...addresses: string[]][] = [
  ["0.0.0.0/8, this network", "0.0.0.0", "0.255.255.255"],
  ["10.0.0.0/8, private", "10.0.0.0", "10.255.255.255"],
  ["100.64.0.0/10, shared", "100.64.0.0", "100.127.255.255"],
  ["127.0.0.0/8, loopback", "127.0.0.0", "127.0.0.1", "127.255.255.255"],
  ["169.254.0.0/16, link-local", "169.254.0.0", "169.254.169.254", "169.254.255.255"],
  ["172.16.0.0/12, private", "172.16.0.0", "172.31.255.255"],
  ["192.0.0.0/24, protocol assignments", "192.0.0.0", "192.0.0.170", "192.0.0.255"],
  ["192.0.2.0/24, TEST-NET-1", "192.0.2.0", "192.0.2.255"],
  ["192.88.99.0/24, 6to4 relay", "192.88.99.0", "192.88.99.255"],
  ["192.168.0.0/16, private", "192.168.0.0", "192.168.255.255"],
  ["198.18.0.0/15, benchmarking", "198.18.0.0", "198.19.255.255"],
  ["198.51.100.0/24, TEST-NET-2", "198.51.100.0", "198.51.100.255"],
  ["203.0.113.0/24, TEST-NET-3", "203.0.113.0", "203.0.113.255"],
  ["224.0.0.0/4, multicast", "224.0.0.0", "239.255.255.255"],
  ["240.0.0.0/4, reserved", "240.0.0.0", "255.255.255.254"],
  ["255.255.255.255/32, broadcast", "255.255.255.255"],
];
const ipv6: readonly [block: string, ...addresses: string[]][] = [
  ["::/128, unspecified", "::"],
  ["::1/128, loopback", "::1"],
  ["::/96, IPv4-compatible (RFC 4291)", "::7f00:1", "::a00:1", "::2"],
  ["::ffff:0:0/96, IPv4-mapped", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:8.8.8.8"],
  ["::ffff:0:0:0/96, IPv4-translated", "::ffff:0:127.0.0.1", "::ffff:0:8.8.8.8"],
  ["64:ff9b::/96, NAT64", "64:ff9b::127.0.0.1", "64:ff9b::10.0.0.1", "64:ff9b::8.8.8.8"],
  ["64:ff9b:1::/48, local NAT64", "64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:10.0.0.1"],
  ["100::/64, discard-only", "100::", "100::ffff:ffff:ffff:ffff"],
  ["100:0:0:1::/64, dummy (RFC 9780)", "100:0:0:1::", "100::1:ffff:ffff:ffff:ffff"],
  ["2001::/32, Teredo", "2001::", "2001:0:7f00:1::", "2001:0:ffff:ffff:ffff:ffff:ffff:ffff"],
  ["2001:2::/48, benchmarking", "2001:2::", "2001:2:0:ffff::"],
  ["2001:10::/28, ORCHID", "2001:10::", "2001:1f:ffff::"],
  ["2001:20::/28, ORCHIDv2", "2001:20::", "2001:2f:ffff::"],
  ["2001::/23, the rest of the assignments", "2001:1::1", "2001:40::", "2001:1ff:ffff::"],
  ["2001:db8::/32, documentation", "2001:db8::", "2001:db8:ffff::1"],
  ["2002::/16, 6to4", "2002:7f00:1::", "2002:a00:1::1", "2002:808:808::1"],
  ["3fff::/20, documentation", "3fff::", "3fff:fff:ffff::"],
  ["5f00::/16, segment routing", "5f00::", "5f00:ffff::"],
  ["fc00::/7, unique local", "fc00::", "fdff:ffff::1"],
  ["fe80::/10, link-local", "fe80::1", "febf:ffff::1"],
  ["fec0::/10, site-local (RFC 3879)", "fec0::1", "feff:ffff::1"],
  ["ff00::/8, multicast", "ff00::", "ff02::1", "ffff::1"],
];
// The neighbours of those blocks, and a few well-known ones.
const ordinary = `
  1.0.0.0 8.8.8.8 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.0
  169.253.255.255 169.255.0.0 172.15.255.255 172.32.0.0 192.0.1.0 192.0.3.0 192.167.255.255
  192.169.0.0 198.17.255.255 198.20.0.0 198.51.99.255 198.51.101.0 203.0.112.255 203.0.114.0
  223.255.255.255 2001:200::1 2001:4860:4860::8888 2003::1 2606:4700:4700::1111 2a00:1450::1`;

describe("specialRangeOf()", () => {
  it.each([...ipv4, ...ipv6])("knows %s", (_block, ...addresses) => {
    for (const address of addresses) {
      expect(specialRangeOf(parseHost(address)), address).toEqual(expect.any(String));
    }
  });

  it.each(ordinary.trim().split(/\s+/))("takes %s for ordinary", (address) => {
    expect(specialRangeOf(parseHost(address))).toBeUndefined();
  });

  it("names the range", () => {
    expect(specialRangeOf(parseHost("127.0.0.1"))).toBe("loopback");
    expect(specialRangeOf(parseHost("192.168.1.1"))).toBe("private");
  });

  it("has nothing to say of a name", () => {
    expect(specialRangeOf(parseHost("localhost"))).toBeUndefined();
  });
});

describe("isLocalName()", () => {
  it.each([
    "localhost",
    "www.localhost",
    "printer.local",
    "home.arpa",
    "router.home.arpa",
    "metadata.google.internal",
  ])("knows %s", (name) => expect(isLocalName(name)).toBe(true));

  it.each(["example.com", "localhost.example.com", "mylocalhost", "notlocal", "arpa", "x.arpa"])(
    "takes %s for a name of the internet",
    (name) => expect(isLocalName(name)).toBe(false),
  );
});
