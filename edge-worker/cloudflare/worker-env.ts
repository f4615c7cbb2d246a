import * as v from "valibot";
import { messageOf } from "../../protocol/errors.ts";
import type { Log } from "../../protocol/log.ts";
import type { Fetch } from "../egress/dns-client.ts";
import { type Access, parseAccess } from "../users/access.ts";

const SWITCH = v.pipe(
  v.picklist(["true", "false"]),
  v.transform((text) => text === "true"),
);

const JSON_TEXT = v.pipe(
  v.string(),
  v.check((text) => parseJson(text) !== undefined, "expected JSON"),
  v.transform(parseJson),
);

/** The variables of wrangler.toml and the secrets put beside them. */
const SCHEMA = v.object({
  EDGESOCKS_SECRET: v.optional(v.string()),
  EDGESOCKS_KEY_ID: v.optional(v.string(), "default"),
  EDGESOCKS_KEYS: v.optional(JSON_TEXT),
  RULES: v.optional(JSON_TEXT, "[]"),
  BRIDGE: v.optional(v.picklist(["durable", "stateless"]), "durable"),
  ALLOW_PRIVATE: v.optional(SWITCH, "false"),
  CONNECT_TIMEOUT_MS: v.optional(
    v.pipe(v.string(), v.transform(Number), v.integer(), v.minValue(100), v.maxValue(120_000)),
    "15000",
  ),
  DNS_URL: v.optional(v.pipe(v.string(), v.url()), "https://cloudflare-dns.com/dns-query"),
});

/** What a Worker is told from outside, checked. */
export interface WorkerSettings {
  readonly access: Access;
  readonly bridge: "durable" | "stateless";
  readonly allowPrivate: boolean;
  readonly connectTimeoutMs: number;
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
}

/** KV keeps what was read for so long in the data centre: a change is known everywhere by then. */
const KV_CACHE_S = 60;

/** The settings of an environment; undefined, after one line in the log, when they cannot be used. */
export async function readSettings(env: WorkerEnv, log: Log): Promise<WorkerSettings | undefined> {
  const result = v.safeParse(SCHEMA, env);
  if (!result.success) {
    const [issue] = result.issues;
    const key = issue.path?.map((item) => String(item.key)).join(".") ?? "environment";
    log.error(`Cannot use ${key}: ${issue.message}. Set it in wrangler.toml or as a secret`);
    return undefined;
  }
  const { output } = result;
  try {
    const access = parseAccess({ keys: await keysOf(output, env), rules: output.RULES });
    if (output.BRIDGE === "stateless") requireNoWindows(access);
    return {
      access,
      bridge: output.BRIDGE,
      allowPrivate: output.ALLOW_PRIVATE,
      connectTimeoutMs: output.CONNECT_TIMEOUT_MS,
      dnsUrl: output.DNS_URL,
      fetcher: fetcherOf(env),
    };
  } catch (error) {
    log.error(messageOf(error));
    return undefined;
  }
}

/** The keys of an environment, from the one place that has them. */
async function keysOf(output: v.InferOutput<typeof SCHEMA>, { KEYS }: WorkerEnv): Promise<unknown> {
  const { EDGESOCKS_SECRET: secret, EDGESOCKS_KEY_ID: id, EDGESOCKS_KEYS: keys } = output;
  if ([KEYS, secret, keys].filter((place) => place !== undefined).length !== 1) {
    const ways = "the secret EDGESOCKS_SECRET, the secret EDGESOCKS_KEYS or the KV namespace KEYS";
    throw new Error(`Cannot find the keys: give them by exactly one of ${ways}`);
  }
  if (secret !== undefined) return [{ id, secret }];
  return keys ?? (await KEYS?.get("keys", { type: "json", cacheTtl: KV_CACHE_S }));
}

/** Nothing outlives a connection there, so nothing could count what passes in a day or a minute. */
function requireNoWindows({ users }: Access): void {
  for (const { id, limits } of users) {
    if (limits.bytesPerDay === undefined && limits.streamsPerMinute === undefined) continue;
    const what = "bytes-per-day and streams-per-minute";
    throw new Error(`Cannot use ${what} of the key ${id}: they need BRIDGE = "durable"`);
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function fetcherOf({ RESOLVER }: WorkerEnv): Fetch | undefined {
  return RESOLVER && ((url, init) => RESOLVER.fetch(url, init));
}
