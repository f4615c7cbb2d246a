import ipaddr from "ipaddr.js";
import type { Clock } from "../../../protocol/clock.ts";
import { askDns, type Fetch } from "../dns-client.ts";
import { BlockedTargets } from "./blocked-targets.ts";
import { isCloudflareAddress } from "./cloudflare-ranges.ts";

/**
 * What a Worker's connect() does not reach: Cloudflare's own addresses, and with them every site
 * behind Cloudflare.
 */
export function createCloudflareTargets(
  clock: Clock,
  resolverUrl: string,
  fetcher?: Fetch,
): BlockedTargets {
  return new BlockedTargets({
    clock,
    what: "in Cloudflare's own ranges",
    isBlocked: isCloudflareAddress,
    addressesOf: async (name) => {
      const answers = await Promise.all([
        askDns(resolverUrl, name, "A", fetcher),
        askDns(resolverUrl, name, "AAAA", fetcher),
      ]);
      const records = answers.flatMap((it) => (it.status === "found" ? it.data : []));
      // CNAMEs on the way are names.
      return records.filter((data) => ipaddr.isValid(data));
    },
  });
}
