import { messageOf } from "../../protocol/errors.ts";
import type { Log } from "../../protocol/log.ts";
import type { Fetch } from "../egress/dns-client.ts";
import type { UpstreamSettings } from "../egress/upstream/upstream-settings.ts";
import type { Access } from "../users/access.ts";
import { accessOfWorker, type LocationHint, parseWorkerVariables } from "../worker-variables.ts";

/** What a Worker is told from outside, checked. */
export interface WorkerSettings {
  readonly access: Access;
  readonly upstreams: readonly UpstreamSettings[];
  /** Whether connect() reaches Cloudflare's own ranges: on a workerd elsewhere it does. */
  readonly reachesCloudflare: boolean;
  readonly bridge: "durable" | "stateless";
  /** Where a Durable Object that does not exist yet is to be made. */
  readonly locationHint: LocationHint | undefined;
  readonly allowPrivate: boolean;
  readonly connectTimeoutMs: number;
  /** Targets that may be dialled at once; more wait for their turn. */
  readonly maxDials: number;
  /** False where the Worker runs on a machine without IPv6. */
  readonly hasIpv6: boolean;
  readonly dnsUrl: string;
  /** How to reach it; undefined for an ordinary fetch(). */
  readonly fetcher: Fetch | undefined;
}

/** What wrangler.toml binds; everything else in it is text that readSettings() checks. */
export interface WorkerEnv {
  readonly BRIDGES: DurableObjectNamespace;
  /** Its entry "keys" holds what EDGESOCKS_KEYS would, for those who change it often. */
  readonly KEYS?: KVNamespace;
  /** Answers DNS_URL where the Worker does not run at Cloudflare, and may not reach its own machine. */
  readonly RESOLVER?: Fetcher;
  /** Answers when it is time to stop, where `edgesocks` runs the Worker. */
  readonly RUNNER?: Fetcher;
}

/** KV keeps what was read for so long in the data centre: a change is known everywhere by then. */
const KV_CACHE_S = 60;

/** The settings of an environment; undefined, after one line in the log, when they cannot be used. */
export async function readSettings(env: WorkerEnv, log: Log): Promise<WorkerSettings | undefined> {
  try {
    const variables = parseWorkerVariables(env);
    return {
      access: accessOfWorker(variables, await storedKeysOf(env)),
      upstreams: variables.UPSTREAMS,
      reachesCloudflare: variables.REACHES_CLOUDFLARE,
      bridge: variables.BRIDGE,
      locationHint: variables.LOCATION_HINT,
      allowPrivate: variables.ALLOW_PRIVATE,
      connectTimeoutMs: variables.CONNECT_TIMEOUT_MS,
      maxDials: variables.MAX_DIALS,
      hasIpv6: variables.HAS_IPV6,
      dnsUrl: variables.DNS_URL,
      fetcher: fetcherOf(env),
    };
  } catch (error) {
    log.error(`${messageOf(error)}. Set it in wrangler.toml or as a secret`);
    return undefined;
  }
}

async function storedKeysOf({ KEYS }: WorkerEnv): Promise<{ keys: unknown } | undefined> {
  return KEYS && { keys: await KEYS.get("keys", { type: "json", cacheTtl: KV_CACHE_S }) };
}

function fetcherOf({ RESOLVER }: WorkerEnv): Fetch | undefined {
  return RESOLVER && ((url, init) => RESOLVER.fetch(url, init));
}
