import type { Host } from "../../protocol/address.ts";
import ipaddr from "ipaddr.js";

/**
 * The special-purpose range an address is in (IANA registries for IPv4 and IPv6, RFC 6890), such
 * as "private" or "loopback"; undefined for an ordinary public unicast address. IPv6 forms that
 * carry an IPv4 address (mapped, 6to4, Teredo, NAT64) are special-purpose themselves.
 */
export function specialRangeOf({ kind, host }: Host): string | undefined {
  if (kind === "name") return undefined;
  const address = ipaddr.parse(host);
  const range = address.range();
  if (range !== "unicast") return range;
  // RFC 4291 section 2.4 and IANA: all that is assigned as global unicast lies in here.
  const isReserved = address instanceof ipaddr.IPv6 && !address.match(GLOBAL_UNICAST);
  return isReserved ? "reserved" : undefined;
}

const GLOBAL_UNICAST = ipaddr.IPv6.parseCIDR("2000::/3");

/** Names that by RFC 6761, RFC 6762 and RFC 8375 mean something on the local network only. */
const LOCAL_SUFFIXES = ["localhost", "local", "home.arpa", "internal"];

/** Whether a canonical name can only mean a machine on the edge's own network. */
export function isLocalName(name: string): boolean {
  return LOCAL_SUFFIXES.some((suffix) => name === suffix || name.endsWith(`.${suffix}`));
}
