import ipaddr from "ipaddr.js";
import { type Address, parseAddress } from "../../protocol/address.ts";
import { StreamError } from "../../protocol/errors.ts";
import type { Policy } from "../policy/policy.ts";
import { askDns, type DnsAnswer, type Fetch } from "./dns-client.ts";
import type { Egress } from "./egress.ts";

/** RESOLVE and RESOLVE_PTR by DNS over HTTPS, for platforms without a resolver of their own. */
export function createDohResolver(
  resolverUrl: string,
  fetcher?: Fetch,
): Required<Pick<Egress, "resolve" | "reverse">> {
  return {
    resolve: async (name, policy) => {
      const answers = await Promise.all([
        askDns(resolverUrl, name.host, "A", fetcher),
        askDns(resolverUrl, name.host, "AAAA", fetcher),
      ]);
      return firstAllowed(answers, policy);
    },
    reverse: async (address) => {
      const answer = await askDns(resolverUrl, arpaNameOf(address.host), "PTR", fetcher);
      const [name] = recordsOf([answer]);
      if (name === undefined) throw notFound([answer]);
      return parseAddress(name, 0);
    },
  };
}

/** The first address that the policy lets through; CNAMEs on the way are passed over. */
function firstAllowed(answers: readonly DnsAnswer[], policy: Policy): Address {
  const refusals: unknown[] = [];
  for (const data of recordsOf(answers)) {
    if (!ipaddr.isValid(data)) continue;
    const address = parseAddress(data, 0);
    try {
      policy(address);
      return address;
    } catch (refusal) {
      refusals.push(refusal);
    }
  }
  throw refusals[0] ?? notFound(answers);
}

function recordsOf(answers: readonly DnsAnswer[]): readonly string[] {
  return answers.flatMap((answer) => (answer.status === "found" ? answer.data : []));
}

function notFound(answers: readonly DnsAnswer[]): StreamError {
  const isKnown = answers.every(({ status }) => status !== "unknown");
  return isKnown
    ? new StreamError("name-not-found", "Cannot resolve: there is no such name")
    : new StreamError("host-unreachable", "Cannot resolve: the resolver gave no answer");
}

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
