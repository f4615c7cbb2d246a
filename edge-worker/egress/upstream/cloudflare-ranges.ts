import ipaddr from "ipaddr.js";

/**
 * The ranges that Cloudflare publishes at https://www.cloudflare.com/ips-v4 and
 * https://www.cloudflare.com/ips-v6. Unchanged from 2021-04-08 (when 104.16.0.0/12 became
 * 104.16.0.0/13 and 104.24.0.0/14) to 2026-11-21, when this was last looked at. A Worker's
 * connect() reaches none of them.
 */
const PUBLISHED: readonly string[] = [
  "173.245.48.0/20",
  "103.21.244.0/22",
  "103.22.200.0/22",
  "103.31.4.0/22",
  "141.101.64.0/18",
  "108.162.192.0/18",
  "190.93.240.0/20",
  "188.114.96.0/20",
  "197.234.240.0/22",
  "198.41.128.0/17",
  "162.158.0.0/15",
  "104.16.0.0/13",
  "104.24.0.0/14",
  "172.64.0.0/13",
  "131.0.72.0/22",
  "2400:cb00::/32",
  "2606:4700::/32",
  "2803:f800::/32",
  "2405:b500::/32",
  "2405:8100::/32",
  "2a06:98c0::/29",
  "2c0f:f248::/32",
];

const ranges = PUBLISHED.map((text) => ipaddr.parseCIDR(text));

/** Whether an IP address is one of Cloudflare's. */
export function isCloudflareAddress(host: string): boolean {
  const address = ipaddr.process(host);
  return ranges.some(([range, bits]) => {
    return range.kind() === address.kind() && address.match(range, bits);
  });
}
