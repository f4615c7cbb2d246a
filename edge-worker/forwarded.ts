import ipaddr from "ipaddr.js";

/** A range of IP addresses, as ipaddr.parseCIDR() gives it. */
export type Range = [ipaddr.IPv4 | ipaddr.IPv6, number];

/** Header fields by which a proxy can say for whom it asks. */
export type ForwardedField = "x-forwarded-for" | "x-forwarded-host" | "forwarded";

/** The proxies in front of an edge that are believed. */
export interface TrustedProxies {
  readonly ranges: readonly Range[];
  /** Whether who comes by a Unix socket is one. */
  readonly isUnixTrusted: boolean;
  /** The fields that these proxies set themselves: any other is passed on as a client made it up. */
  readonly fields: readonly ForwardedField[];
}

/** Who is behind a request, and which host it was for. */
export interface Origin {
  /** The client's IP address in its canonical form; undefined for a Unix socket. */
  readonly address: string | undefined;
  /** The host that the client asked for, if a trusted proxy says so; else that of the request. */
  readonly host: string | undefined;
  /** Whether a trusted proxy is in between. */
  readonly isForwarded: boolean;
}

/** A header field of the request, its repetitions joined by commas. */
export type FieldOf = (name: ForwardedField) => string | undefined;

/** More proxies in a row than anybody has. */
const MAX_HOPS = 32;

/**
 * Who is behind a request of `peer`. The lists are read from right to left, for as long as proxies
 * are trusted: what stands further left may be made up by the client.
 */
export function originOf(
  peer: string | undefined,
  fieldOf: FieldOf,
  proxies: TrustedProxies,
): Origin {
  const peerAddress = peer === undefined ? undefined : parseNode(peer);
  const isTrusted =
    peerAddress === undefined ? proxies.isUnixTrusted : isWithin(peerAddress, proxies.ranges);
  if (!isTrusted) return { address: peerAddress ?? peer, host: undefined, isForwarded: false };
  let origin: Origin = {
    address: peerAddress,
    host: hostField(fieldOf, proxies),
    isForwarded: true,
  };
  for (const { node, host } of hopsOf(fieldOf, proxies).slice(-MAX_HOPS).toReversed()) {
    // "unknown", an obfuscated identifier (RFC 7239 section 6), or nonsense: it leads no further.
    const address = parseNode(node);
    if (address === undefined) break;
    origin = { address, host: host ?? origin.host, isForwarded: true };
    if (!isWithin(address, proxies.ranges)) break;
  }
  return origin;
}

/** What one proxy says: for whom it asks, and which host that one asked for. */
interface Hop {
  readonly node: string;
  readonly host: string | undefined;
}

function hopsOf(fieldOf: FieldOf, { fields }: TrustedProxies): readonly Hop[] {
  if (fields.includes("forwarded")) return parseForwarded(fieldOf("forwarded") ?? "");
  if (!fields.includes("x-forwarded-for")) return [];
  const list = fieldOf("x-forwarded-for") ?? "";
  return list === "" ? [] : list.split(",").map((node) => ({ node: node.trim(), host: undefined }));
}

/** The last of the list, which the nearest proxy has set or added. */
function hostField(fieldOf: FieldOf, { fields }: TrustedProxies): string | undefined {
  if (!fields.includes("x-forwarded-host")) return undefined;
  const host = fieldOf("x-forwarded-host")?.split(",").at(-1)?.trim();
  return host === "" ? undefined : host;
}

const TOKEN = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
/** One forwarded-pair of RFC 7239 section 4, and what follows it: ";", "," or the end. */
const PAIR = new RegExp(
  `[ \\t]*(?:(${TOKEN})=(?:(${TOKEN})|"((?:[^"\\\\]|\\\\.)*)")[ \\t]*)?(;|,|$)`,
  "y",
);

/** The elements of a Forwarded field; none when it breaks the grammar, as all of it is in doubt then. */
export function parseForwarded(text: string): readonly Hop[] {
  if (text === "") return [];
  const hops: Hop[] = [];
  let pairs = new Map<string, string>();
  for (PAIR.lastIndex = 0; ;) {
    const match = PAIR.exec(text);
    if (!match) return [];
    const [, name, token, quoted, end] = match;
    if (name !== undefined) {
      const key = name.toLowerCase();
      // Section 4: each parameter at most once in an element.
      if (pairs.has(key)) return [];
      pairs.set(key, token ?? (quoted ?? "").replaceAll(/\\(.)/g, "$1"));
    }
    if (end === ";") continue;
    if (pairs.size > 0) hops.push({ node: pairs.get("for") ?? "", host: pairs.get("host") });
    pairs = new Map();
    if (end === "") return hops;
  }
}

const WITH_PORT = /^(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]+))(?::\d{1,5})?$/;

/** The canonical address of "192.0.2.1", "192.0.2.1:80", "2001:db8::1" or "[2001:db8::1]:80". */
function parseNode(text: string): string | undefined {
  const [, ipv6, ipv4] = WITH_PORT.exec(text) ?? [];
  const host = ipv6 ?? ipv4 ?? text;
  const isAddress = ipaddr.IPv6.isValid(host) || ipaddr.IPv4.isValidFourPartDecimal(host);
  return isAddress ? ipaddr.process(host).toString() : undefined;
}

function isWithin(host: string, ranges: readonly Range[]): boolean {
  const address = ipaddr.parse(host);
  return ranges.some((range) => address.kind() === range[0].kind() && address.match(range));
}

/** Where an address belongs when it is counted: an IPv6 client has a whole /64 to itself. */
export function placeOfAddress(host: string | undefined): string | undefined {
  if (host === undefined || !ipaddr.IPv6.isValid(host)) return host;
  const [unscoped = ""] = host.split("%");
  const address = ipaddr.process(unscoped);
  if (address.kind() === "ipv4") return address.toString();
  return `${ipaddr.IPv6.networkAddressFromCIDR(`${address.toString()}/64`).toString()}/64`;
}
