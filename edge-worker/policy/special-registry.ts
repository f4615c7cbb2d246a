/** A block with a special purpose: its prefix, its name in lower case, and where that is written. */
export type SpecialBlock = readonly [prefix: string, name: string, source: string];

/*
 * The IANA IPv4 and IPv6 Special-Purpose Address Registries, both last updated 2025-10-09, whole:
 *
 *   https://www.iana.org/assignments/iana-ipv4-special-registry
 *   https://www.iana.org/assignments/iana-ipv6-special-registry
 *
 * and, as these list no multicast and nothing that was withdrawn, a few lines of other sources.
 * What they call globally reachable is in here, too: anycast services (PCP, TURN, AMT, AS112) mean
 * whoever is nearest to the edge, such as its own router; ORCHIDs and DETs are no locators. A block
 * stands before those that contain it, as the first one that matches gives the name.
 */

export const ipv4Blocks: readonly SpecialBlock[] = [
  ["0.0.0.0/32", "this host on this network", "RFC 1122 section 3.2.1.3"],
  ["0.0.0.0/8", "this network", "RFC 791 section 3.2"],
  ["10.0.0.0/8", "private-use", "RFC 1918"],
  ["100.64.0.0/10", "shared address space", "RFC 6598"],
  ["127.0.0.0/8", "loopback", "RFC 1122 section 3.2.1.3"],
  ["169.254.0.0/16", "link-local", "RFC 3927"],
  ["172.16.0.0/12", "private-use", "RFC 1918"],
  ["192.0.0.0/29", "IPv4 service continuity", "RFC 7335"],
  ["192.0.0.8/32", "IPv4 dummy address", "RFC 7600"],
  ["192.0.0.9/32", "port control protocol anycast", "RFC 7723"],
  ["192.0.0.10/32", "TURN anycast", "RFC 8155"],
  ["192.0.0.170/32", "NAT64/DNS64 discovery", "RFC 8880, RFC 7050 section 2.2"],
  ["192.0.0.171/32", "NAT64/DNS64 discovery", "RFC 8880, RFC 7050 section 2.2"],
  ["192.0.0.0/24", "IETF protocol assignments", "RFC 6890 section 2.1"],
  ["192.0.2.0/24", "documentation", "RFC 5737"],
  ["192.31.196.0/24", "AS112", "RFC 7535"],
  ["192.52.193.0/24", "AMT", "RFC 7450"],
  ["192.88.99.2/32", "6a44 relay anycast", "RFC 6751"],
  ["192.88.99.0/24", "6to4 relay anycast", "RFC 7526"],
  ["192.168.0.0/16", "private-use", "RFC 1918"],
  ["192.175.48.0/24", "AS112", "RFC 7534"],
  ["198.18.0.0/15", "benchmarking", "RFC 2544"],
  ["198.51.100.0/24", "documentation", "RFC 5737"],
  ["203.0.113.0/24", "documentation", "RFC 5737"],
  // Not in the registry: it has unicast alone.
  ["224.0.0.0/4", "multicast", "RFC 5771"],
  ["255.255.255.255/32", "limited broadcast", "RFC 8190, RFC 919 section 7"],
  ["240.0.0.0/4", "reserved", "RFC 1112 section 4"],
];

export const ipv6Blocks: readonly SpecialBlock[] = [
  ["::1/128", "loopback", "RFC 4291"],
  ["::/128", "unspecified", "RFC 4291"],
  // Not in the registry: withdrawn, and still understood by some hosts.
  ["::/96", "IPv4-compatible", "RFC 4291 section 2.5.5.1"],
  ["::ffff:0:0/96", "IPv4-mapped", "RFC 4291"],
  // Not in the registry: of SIIT, as it was first.
  ["::ffff:0:0:0/96", "IPv4-translated", "RFC 2765 section 2.1"],
  ["64:ff9b::/96", "NAT64", "RFC 6052"],
  ["64:ff9b:1::/48", "local NAT64", "RFC 8215"],
  ["100::/64", "discard-only", "RFC 6666"],
  ["100:0:0:1::/64", "dummy prefix", "RFC 9780"],
  ["2001::/32", "Teredo", "RFC 4380"],
  ["2001:1::1/128", "port control protocol anycast", "RFC 7723"],
  ["2001:1::2/128", "TURN anycast", "RFC 8155"],
  ["2001:1::3/128", "DNS-SD registration anycast", "RFC 9665"],
  ["2001:2::/48", "benchmarking", "RFC 5180"],
  ["2001:3::/32", "AMT", "RFC 7450"],
  ["2001:4:112::/48", "AS112", "RFC 7535"],
  ["2001:10::/28", "ORCHID", "RFC 4843"],
  ["2001:20::/28", "ORCHIDv2", "RFC 7343"],
  ["2001:30::/28", "drone remote id", "RFC 9374"],
  ["2001::/23", "IETF protocol assignments", "RFC 2928"],
  ["2001:db8::/32", "documentation", "RFC 3849"],
  ["2002::/16", "6to4", "RFC 3056"],
  ["2620:4f:8000::/48", "AS112", "RFC 7534"],
  ["3fff::/20", "documentation", "RFC 9637"],
  ["5f00::/16", "segment routing", "RFC 9602"],
  ["fc00::/7", "unique-local", "RFC 4193"],
  ["fe80::/10", "link-local", "RFC 4291"],
  // Not in the registry: withdrawn by RFC 3879, and multicast.
  ["fec0::/10", "site-local", "RFC 3879"],
  ["ff00::/8", "multicast", "RFC 4291 section 2.7"],
];
