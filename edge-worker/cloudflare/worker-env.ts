import { messageOf } from "../../protocol/errors.ts";
import type { Log } from "../../protocol/log.ts";
import type { Fetch } from "../egress/dns/doh-client.ts";
import type { Outbound } from "../egress/outbound.ts";
import type { UpstreamSettings } from "../egress/upstream/upstream-settings.ts";
import type { CarrierBudget, Resumption } from "../limits.ts";
import type { Access } from "../users/access.ts";
import {
  accessOfWorker,
  type LocationHint,
  parseWorkerVariables,
  type StoredAccess,
  turnOfWorker,
} from "../worker-variables.ts";
import type { Connect } from "./open-socket.ts";
import { askForAccess } from "./runner.ts";

/** What a Worker is told from outside, checked. */
export interface WorkerSettings extends Omit<Outbound, "bind"> {
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
  /** What one carrier of the stateless bridge may use up. */
  readonly budget: CarrierBudget;
  /** Whether `edgesocks` runs the Worker, in a process that has more memory than Cloudflare gives it. */
  readonly isOwnProcess: boolean;
  /** False where the Worker runs on a machine without IPv6. */
  readonly hasIpv6: boolean;
  readonly resumption: Resumption;
  /** How to reach the resolvers of `dnsUrls`; undefined for an ordinary fetch(). */
  readonly fetcher: Fetch | undefined;
  /** Instead of what is known of 1.1.1.1 and its like; "" to reach them by TCP as all others. */
  readonly cloudflareDnsUrl: string | undefined;
  /** How to reach the TURN server; undefined for an ordinary connect(). */
  readonly connectToTurn: Connect | undefined;
}

/** What wrangler.toml binds; everything else in it is text that readSettings() checks. */
export interface WorkerEnv {
  readonly BRIDGES: DurableObjectNamespace;
  /** Its entry "keys" holds what EDGESOCKS_KEYS would, for those who change it often. */
  readonly KEYS?: KVNamespace;
  /**
   * Reaches DNS_URL and TURN_URL where the Worker does not run at Cloudflare: they are the
   * operator's word, and may be on its own machine when no target may.
   */
  readonly OPERATOR_NETWORK?: Fetcher;
  /** Has the keys and rules, and says when it is time to stop, where `edgesocks` runs the Worker. */
  readonly RUNNER?: Fetcher;
}

const MEBIBYTE = 1_048_576;
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
      budget: {
        maxOpens: variables.MAX_OPENS,
        maxAge: variables.MAX_AGE_S * 1000,
        maxBytes: variables.MAX_MIB * MEBIBYTE,
      },
      isOwnProcess: env.RUNNER !== undefined,
      hasIpv6: variables.HAS_IPV6,
      resumption: {
        resumeWindow: variables.RESUME_WINDOW_S,
        resumeMemory: variables.RESUME_MEMORY_MIB * MEBIBYTE,
      },
      dnsUrls: variables.DNS_URL,
      cloudflareDnsUrl: variables.CLOUDFLARE_DNS_URL,
      udp: variables.UDP,
      udpIdleTimeoutMs: variables.UDP_IDLE_TIMEOUT_MS,
      turn: turnOfWorker(variables),
      ...networkOf(env),
    };
  } catch (error) {
    log.error(`${messageOf(error)}. Set it in wrangler.toml or as a secret`);
    return undefined;
  }
}

async function storedKeysOf({ KEYS, RUNNER }: WorkerEnv): Promise<StoredAccess | undefined> {
  if (RUNNER) return askForAccess(RUNNER);
  return KEYS && { keys: await KEYS.get("keys", { type: "json", cacheTtl: KV_CACHE_S }) };
}

function networkOf({
  OPERATOR_NETWORK: network,
}: WorkerEnv): Pick<WorkerSettings, "fetcher" | "connectToTurn"> {
  if (!network) return { fetcher: undefined, connectToTurn: undefined };
  return {
    fetcher: (url, init) => network.fetch(url, init),
    connectToTurn: (address, options) => network.connect(address, options),
  };
}
