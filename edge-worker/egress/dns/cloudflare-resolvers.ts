import type { Host } from "../../../protocol/address.ts";

/**
 * Cloudflare's resolvers, which a Worker cannot connect to: they stand in Cloudflare's own ranges.
 * The same resolvers answer by HTTPS (developers.cloudflare.com/1.1.1.1/infrastructure/network-operators
 * and .../setup, read in November 2026).
 */
const hostsByEndpoint: Readonly<Record<string, readonly string[]>> = {
  "https://cloudflare-dns.com/dns-query": [
    "1.1.1.1",
    "1.0.0.1",
    "2606:4700:4700::1111",
    "2606:4700:4700::1001",
  ],
  "https://security.cloudflare-dns.com/dns-query": [
    "1.1.1.2",
    "1.0.0.2",
    "2606:4700:4700::1112",
    "2606:4700:4700::1002",
  ],
  "https://family.cloudflare-dns.com/dns-query": [
    "1.1.1.3",
    "1.0.0.3",
    "2606:4700:4700::1113",
    "2606:4700:4700::1003",
  ],
  "https://dns64.cloudflare-dns.com/dns-query": ["2606:4700:4700::64", "2606:4700:4700::6400"],
};

const endpointByHost = new Map<string, string>(
  Object.entries(hostsByEndpoint).flatMap(([endpoint, hosts]) =>
    hosts.map((host) => [host, endpoint] as const),
  ),
);

/**
 * Where a resolver of Cloudflare's answers by HTTPS: at `endpoint`, when the operator has named
 * one for all of them, and nowhere when that is "". Undefined for any other resolver.
 */
export function dohEndpointOf({ host }: Host, endpoint: string | undefined): string | undefined {
  const known = endpointByHost.get(host);
  return known === undefined || endpoint === "" ? undefined : (endpoint ?? known);
}
