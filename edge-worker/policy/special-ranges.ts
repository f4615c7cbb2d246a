import ipaddr from "ipaddr.js";
import type { Host } from "../../protocol/address.ts";
import { type EmbeddedIpv4, embeddedIpv4s } from "./embedded-ipv4.ts";
import { ipv4Blocks, ipv6Blocks, type SpecialBlock } from "./special-registry.ts";

/**
 * The special-purpose range that an address is in, such as "private-use" or "loopback"; undefined
 * for an ordinary public unicast address. An IPv6 form that carries an IPv4 address is special
 * itself, whatever it carries, as nobody needs a second spelling of an address; of ISATAP, which
 * looks like any other address, only what carries a special IPv4 address is.
 */
export function specialRangeOf({ kind, host }: Host): string | undefined {
  if (kind === "name") return undefined;
  const address = ipaddr.parse(host);
  if (address instanceof ipaddr.IPv4) return nameIn(ipv4, address);
  const own = nameIn(ipv6, address);
  // "::" and "::1" would be IPv4-compatible ones, which they are not (RFC 4291 section 2.5.5.1).
  if (own === "unspecified" || own === "loopback") return own;
  const carried = embeddedIpv4s(address.toByteArray()).map(carriedBy).find(Boolean);
  if (carried !== undefined || own !== undefined) return carried ?? own;
  // RFC 4291 section 2.4 and IANA: all that is assigned as global unicast lies in here.
  return address.match(GLOBAL_UNICAST) ? undefined : "reserved";
}

const GLOBAL_UNICAST = ipaddr.IPv6.parseCIDR("2000::/3");

/** "6to4, carrying private-use"; undefined when it carries an ordinary address. */
function carriedBy({ form, octets }: EmbeddedIpv4): string | undefined {
  const range = nameIn(ipv4, new ipaddr.IPv4([...octets]));
  return range === undefined ? undefined : `${form}, carrying ${range}`;
}

interface Block<Kind extends ipaddr.IPv4 | ipaddr.IPv6> {
  readonly range: [Kind, number];
  readonly name: string;
}

const ipv4 = ipv4Blocks.map(([prefix, name]: SpecialBlock): Block<ipaddr.IPv4> => {
  return { range: ipaddr.IPv4.parseCIDR(prefix), name };
});
const ipv6 = ipv6Blocks.map(([prefix, name]: SpecialBlock): Block<ipaddr.IPv6> => {
  return { range: ipaddr.IPv6.parseCIDR(prefix), name };
});

function nameIn(blocks: typeof ipv4, address: ipaddr.IPv4): string | undefined;
function nameIn(blocks: typeof ipv6, address: ipaddr.IPv6): string | undefined;
function nameIn(
  blocks: readonly Block<ipaddr.IPv4 | ipaddr.IPv6>[],
  address: ipaddr.IPv4 | ipaddr.IPv6,
): string | undefined {
  return blocks.find(({ range }) => address.match(range))?.name;
}
