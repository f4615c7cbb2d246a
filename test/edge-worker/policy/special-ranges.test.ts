import fc from "fast-check";
import ipaddr from "ipaddr.js";
import { describe, expect, it } from "vitest";
import { specialRangeOf } from "../../../edge-worker/policy/special-ranges.ts";
import { ipv4Blocks, ipv6Blocks } from "../../../edge-worker/policy/special-registry.ts";
import { hostOfOctets, parseHost } from "../../../protocol/address.ts";
import { SEED } from "../../support/arbitraries.ts";

// The registries of RFC 6890: first and last address of each block, or one within it.
const ipv4: readonly [block: string, ...addresses: string[]][] = [
  ["0.0.0.0/8, this network", "0.0.0.0", "0.255.255.255"],
  ["10.0.0.0/8, private", "10.0.0.0", "10.255.255.255"],
  ["100.64.0.0/10, shared", "100.64.0.0", "100.127.255.255"],
  ["127.0.0.0/8, loopback", "127.0.0.0", "127.0.0.1", "127.255.255.255"],
  ["169.254.0.0/16, link-local", "169.254.0.0", "169.254.169.254", "169.254.255.255"],
  ["172.16.0.0/12, private", "172.16.0.0", "172.31.255.255"],
  ["192.0.0.0/24, protocol assignments", "192.0.0.0", "192.0.0.170", "192.0.0.255"],
  ["192.31.196.0/24, AS112", "192.31.196.0", "192.31.196.255"],
  ["192.52.193.0/24, AMT", "192.52.193.0", "192.52.193.255"],
  ["192.175.48.0/24, AS112", "192.175.48.0", "192.175.48.255"],
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
  ["2620:4f:8000::/48, AS112", "2620:4f:8000::", "2620:4f:8000:ffff::1"],
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
  192.31.195.255 192.31.197.0 192.52.192.255 192.52.194.0 192.175.47.255 192.175.49.0
  223.255.255.255 2001:200::1 2620:4f:7fff:ffff::1 2620:4f:8001::1 3fff:1000::1 2001:db7::1 2001:4860:4860::8888 2003::1 2606:4700:4700::1111 2a00:1450::1`;

describe("specialRangeOf()", () => {
  it.each([...ipv4, ...ipv6])("knows %s", (_block, ...addresses) => {
    for (const address of addresses) {
      expect(specialRangeOf(parseHost(address)), address).toEqual(expect.any(String));
    }
  });

  it.each(ordinary.trim().split(/\s+/))("takes %s for ordinary", (address) => {
    expect(specialRangeOf(parseHost(address))).toBeUndefined();
  });

  it.each([
    ["127.0.0.1", "loopback"],
    ["192.168.1.1", "private-use"],
    ["192.0.0.9", "port control protocol anycast"],
    ["192.0.0.200", "IETF protocol assignments"],
    ["255.255.255.255", "limited broadcast"],
    ["::", "unspecified"],
    ["::1", "loopback"],
    ["2001:1::2", "TURN anycast"],
    ["2001:1ff::1", "IETF protocol assignments"],
    ["4000::1", "reserved"],
    ["::7f00:1", "IPv4-compatible, carrying loopback"],
    ["::ffff:10.0.0.1", "IPv4-mapped, carrying private-use"],
    ["::ffff:0:10.0.0.1", "IPv4-translated, carrying private-use"],
    ["64:ff9b::169.254.169.254", "NAT64, carrying link-local"],
    ["64:ff9b:1::192.168.0.1", "local NAT64, carrying private-use"],
    ["64:ff9b:1:7f00:0:100:808:808", "local NAT64, carrying loopback"],
    ["2002:7f00:1::1", "6to4, carrying loopback"],
    ["2001:0:a00:1::1", "Teredo server, carrying private-use"],
    ["2001:0:808:808::80ff:fffe", "Teredo client, carrying loopback"],
    ["2a00:1450::5efe:10.0.0.1", "ISATAP, carrying private-use"],
    ["2a00:1450::200:5efe:127.0.0.1", "ISATAP, carrying loopback"],
    ["fe80::5efe:127.0.0.1", "ISATAP, carrying loopback"],
  ])("says of %s that it is %s", (address, range) => {
    expect(specialRangeOf(parseHost(address))).toBe(range);
  });

  it.each([
    ["::ffff:8.8.8.8", "IPv4-mapped"],
    ["::ffff:0:8.8.8.8", "IPv4-translated"],
    ["64:ff9b::8.8.8.8", "NAT64"],
    ["2002:808:808::1", "6to4"],
    ["2001:0:808:808::f7f7:f7f7", "Teredo"],
  ])("takes %s for special, though the IPv4 address in it is not", (address, range) => {
    expect(specialRangeOf(parseHost(address))).toBe(range);
  });

  it("takes ISATAP with an ordinary address for ordinary", () => {
    expect(specialRangeOf(parseHost("2a00:1450::200:5efe:8.8.8.8"))).toBeUndefined();
    expect(specialRangeOf(parseHost("2a00:1450::100:5efe:127.0.0.1"))).toBeUndefined();
  });

  it("has nothing to say of a name", () => {
    expect(specialRangeOf(parseHost("localhost"))).toBeUndefined();
  });

  it("knows the first and the last address of each block in the registry", () => {
    for (const [prefix] of [...ipv4Blocks, ...ipv6Blocks]) {
      for (const octets of endsOf(prefix)) {
        expect(specialRangeOf(hostOfOctets(octets)), prefix).toEqual(expect.any(String));
      }
    }
  });

  // A second table, by other people: what is special there is special here. It takes more for
  // ordinary than this one does, but for 2000::/3 nothing at all.
  it("leaves out nothing that ipaddr.js knows", () => {
    const fixed = [...ipv4Blocks, ...ipv6Blocks].flatMap(([prefix]) => endsOf(prefix));
    const around = fc.constantFrom(...fixed).chain((octets) =>
      fc.tuple(fc.nat(octets.length - 1), fc.nat(255)).map(([at, value]) => {
        const changed = octets.slice();
        changed[at] = value;
        return changed;
      }),
    );
    const anything = fc.oneof(
      fc.uint8Array({ minLength: 4, maxLength: 4 }),
      fc.uint8Array({ minLength: 16, maxLength: 16 }),
    );
    const property = fc.property(fc.oneof(around, anything), (octets) => {
      const host = hostOfOctets(octets);
      const theirs = ipaddr.fromByteArray([...octets]).range();
      if (theirs !== "unicast") {
        expect(specialRangeOf(host), host.host).toEqual(expect.any(String));
      } else if (host.kind === "ipv4") {
        expect(specialRangeOf(host), host.host).toBeUndefined();
      }
    });
    fc.assert(property, { ...SEED, numRuns: 5000 });
  });
});

/** The first and the last address of a prefix. */
function endsOf(prefix: string): readonly [first: Uint8Array, last: Uint8Array] {
  const [address, bits] = ipaddr.parseCIDR(prefix);
  const first = Uint8Array.from(address.toByteArray());
  const last = first.map(
    (octet, index) => octet | (0xff >> Math.min(8, Math.max(0, bits - index * 8))),
  );
  return [first, last];
}
