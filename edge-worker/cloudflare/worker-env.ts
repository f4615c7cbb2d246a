import * as v from "valibot";
import { Admission } from "../../protocol/admission.ts";
import { messageOf } from "../../protocol/errors.ts";
import type { Fetch } from "../egress/dns-client.ts";
import type { Log } from "../../protocol/log.ts";

const SWITCH = v.pipe(
  v.picklist(["true", "false"]),
  v.transform((text) => text === "true"),
);

/** The variables of wrangler.toml and the secrets put beside them. */
const SCHEMA = v.object({
  EDGESOCKS_SECRET: v.string(),
  EDGESOCKS_KEY_ID: v.optional(v.string(), "default"),
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
  readonly admission: Admission;
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
  /** Answers DNS_URL where the Worker does not run at Cloudflare, and may not reach its own machine. */
  readonly RESOLVER?: Fetcher;
}

/** The settings of an environment; undefined, after one line in the log, when they cannot be used. */
export function readSettings(env: WorkerEnv, log: Log): WorkerSettings | undefined {
  const result = v.safeParse(SCHEMA, env);
  if (!result.success) {
    const [issue] = result.issues;
    const key = issue.path?.map((item) => String(item.key)).join(".") ?? "environment";
    log.error(`Cannot use ${key}: ${issue.message}. Set it in wrangler.toml or as a secret`);
    return undefined;
  }
  const { output } = result;
  try {
    return {
      admission: new Admission(output.EDGESOCKS_KEY_ID, output.EDGESOCKS_SECRET),
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

function fetcherOf({ RESOLVER }: WorkerEnv): Fetch | undefined {
  return RESOLVER && ((url, init) => RESOLVER.fetch(url, init));
}
