import type { Clock } from "../../../protocol/clock.ts";
import type { NameCheck } from "../diagnosis.ts";
import { BlockedTargets } from "./blocked-targets.ts";
import { isCloudflareAddress } from "./cloudflare-ranges.ts";

/**
 * What a Worker's connect() does not reach: Cloudflare's own addresses, and with them every site
 * behind Cloudflare.
 */
export function createCloudflareTargets(clock: Clock, nameCheck: NameCheck): BlockedTargets {
  return new BlockedTargets({
    clock,
    what: "in Cloudflare's own ranges",
    isBlocked: isCloudflareAddress,
    addressesOf: async (name) => ((await nameCheck(name)) ?? []).map(({ host }) => host),
  });
}
