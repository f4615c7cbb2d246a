import ipaddr from "ipaddr.js";
import { describe, expect, it } from "vitest";
import {
  ipv4Blocks,
  ipv6Blocks,
  type SpecialBlock,
} from "../../../edge-worker/policy/special-registry.ts";

/** The address blocks of the registries as IANA has them (2025-10-09), in its order. */
const ianaIpv4 = `0.0.0.0/8 0.0.0.0/32 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16
  172.16.0.0/12 192.0.0.0/24 192.0.0.0/29 192.0.0.8/32 192.0.0.9/32 192.0.0.10/32 192.0.0.170/32
  192.0.0.171/32 192.0.2.0/24 192.31.196.0/24 192.52.193.0/24 192.88.99.0/24 192.88.99.2/32
  192.168.0.0/16 192.175.48.0/24 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 240.0.0.0/4
  255.255.255.255/32`;
const ianaIpv6 = `::1/128 ::/128 ::ffff:0:0/96 64:ff9b::/96 64:ff9b:1::/48 100::/64 100:0:0:1::/64
  2001::/23 2001::/32 2001:1::1/128 2001:1::2/128 2001:1::3/128 2001:2::/48 2001:3::/32
  2001:4:112::/48 2001:10::/28 2001:20::/28 2001:30::/28 2001:db8::/32 2002::/16 2620:4f:8000::/48
  3fff::/20 5f00::/16 fc00::/7 fe80::/10`;
const others = ["224.0.0.0/4", "::/96", "::ffff:0:0:0/96", "fec0::/10", "ff00::/8"];

const both = [...ipv4Blocks, ...ipv6Blocks];
const prefixesOf = (blocks: readonly SpecialBlock[]): string[] => blocks.map(([prefix]) => prefix);

describe("ipv4Blocks and ipv6Blocks", () => {
  it("are the registries of IANA, and five blocks more", () => {
    const known = `${ianaIpv4} ${ianaIpv6}`.split(/\s+/);
    expect(prefixesOf(both).toSorted()).toEqual([...known, ...others].toSorted());
  });

  it("have no bit set behind the prefix", () => {
    for (const [prefix] of both) {
      const [address, bits] = ipaddr.parseCIDR(prefix);
      const octets = address.toByteArray();
      for (let bit = bits; bit < octets.length * 8; bit++) {
        expect((octets[bit >> 3] ?? 0) & (0x80 >> (bit & 7)), `${prefix}, bit ${bit}`).toBe(0);
      }
    }
  });

  it("have each block before those that contain it, so that the first match is the closest", () => {
    for (const blocks of [ipv4Blocks, ipv6Blocks]) {
      blocks.forEach(([outer], index) => {
        const [address, bits] = ipaddr.parseCIDR(outer);
        for (const inner of prefixesOf(blocks.slice(index + 1))) {
          const [within, length] = ipaddr.parseCIDR(inner);
          const isContained = within.match(address, bits) && length >= bits;
          expect(isContained, `${inner} behind ${outer}`).toBe(false);
        }
      });
    }
  });

  it("name every block, in words and by its document", () => {
    for (const [prefix, name, source] of both) {
      expect(name, prefix).toMatch(/^[\w/ -]+$/);
      expect(source, prefix).toMatch(/^RFC \d+/);
    }
  });
});
