import ipaddr from "ipaddr.js";

/** "1.2.3.4" → "4.3.2.1.in-addr.arpa" (RFC 1035 section 3.5), IPv6 by nibbles (RFC 3596). */
export function arpaNameOf(host: string): string {
  const octets = ipaddr.parse(host).toByteArray();
  if (octets.length === 4) return `${octets.toReversed().join(".")}.in-addr.arpa`;
  const nibbles = octets.flatMap((octet) => [octet >> 4, octet & 15]);
  return `${nibbles
    .toReversed()
    .map((nibble) => nibble.toString(16))
    .join(".")}.ip6.arpa`;
}

/** The inverse of arpaNameOf(); undefined for any other name. */
export function hostOfArpaName(name: string): string | undefined {
  const labels = name.toLowerCase().replace(/\.$/, "").split(".");
  const zone = labels.slice(-2).join(".");
  const parts = labels.slice(0, -2).toReversed();
  if (zone === "in-addr.arpa" && parts.length === 4) {
    const host = parts.join(".");
    return ipaddr.IPv4.isValidFourPartDecimal(host) ? host : undefined;
  }
  if (zone !== "ip6.arpa" || parts.length !== 32) return undefined;
  if (!parts.every((nibble) => /^[0-9a-f]$/.test(nibble))) return undefined;
  const host = parts.join("").replaceAll(/(.{4})(?=.)/g, "$1:");
  return ipaddr.IPv6.parse(host).toRFC5952String();
}
