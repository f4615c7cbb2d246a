import * as v from "valibot";
import { ConfigError } from "../protocol/errors.ts";
import { upstreamsSchema } from "./egress/upstream/upstream-settings.ts";
import { type Access, parseAccess } from "./users/access.ts";

const SWITCH = v.pipe(
  v.picklist(["true", "false"], "expected true or false"),
  v.transform((text) => text === "true"),
);

const JSON_TEXT = v.pipe(
  v.string("expected JSON"),
  v.check((text) => parseJson(text) !== undefined, "expected JSON"),
  v.transform(parseJson),
);

const DIALS = "expected 1 to 65535 dials";
const MILLISECONDS = "expected 100 to 120000 milliseconds";

/** Where Cloudflare can be asked to make a Durable Object, and what the letters stand for. */
export const locationHints = {
  wnam: "Western North America",
  enam: "Eastern North America",
  sam: "South America",
  weur: "Western Europe",
  eeur: "Eastern Europe",
  apac: "Asia-Pacific",
  "apac-ne": "North-East Asia",
  "apac-se": "South-East Asia",
  oc: "Oceania",
  afr: "Africa",
  me: "Middle East",
} as const;
export type LocationHint = keyof typeof locationHints;

/**
 * What a Worker reads from its environment: the variables of wrangler.toml and the secrets put
 * beside them. `edgesocks deploy` checks by the same schema before it puts them up.
 */
export const workerVariables = v.object({
  EDGESOCKS_SECRET: v.optional(v.string("expected a text")),
  EDGESOCKS_KEY_ID: v.optional(v.string("expected a text"), "default"),
  EDGESOCKS_KEYS: v.optional(JSON_TEXT),
  RULES: v.optional(JSON_TEXT, "[]"),
  UPSTREAMS: v.optional(v.pipe(JSON_TEXT, upstreamsSchema), "[]"),
  REACHES_CLOUDFLARE: v.optional(SWITCH, "false"),
  BRIDGE: v.optional(
    v.picklist(["durable", "stateless"], "expected durable or stateless"),
    "durable",
  ),
  LOCATION_HINT: v.optional(
    v.picklist(
      Object.keys(locationHints) as LocationHint[],
      `expected one of ${Object.keys(locationHints).join(" ")}`,
    ),
  ),
  ALLOW_PRIVATE: v.optional(SWITCH, "false"),
  CONNECT_TIMEOUT_MS: v.optional(
    v.pipe(
      v.string(MILLISECONDS),
      v.regex(/^\d+$/, MILLISECONDS),
      v.transform(Number),
      v.minValue(100, MILLISECONDS),
      v.maxValue(120_000, MILLISECONDS),
    ),
    "15000",
  ),
  // Cloudflare establishes six connections at once for an invocation, and lets the rest wait
  // without a word; fetch() to the resolver needs one.
  MAX_DIALS: v.optional(
    v.pipe(
      v.string(DIALS),
      v.regex(/^\d+$/, DIALS),
      v.transform(Number),
      v.minValue(1, DIALS),
      v.maxValue(65_535, DIALS),
    ),
    "5",
  ),
  HAS_IPV6: v.optional(SWITCH, "true"),
  DNS_URL: v.optional(
    v.pipe(v.string("expected a URL"), v.url("expected a URL")),
    "https://cloudflare-dns.com/dns-query",
  ),
});
export type WorkerVariables = v.InferOutput<typeof workerVariables>;

/** Names that hold secrets: they never stand in wrangler.toml, and their values are never shown. */
export const workerSecrets: readonly string[] = ["EDGESOCKS_SECRET", "EDGESOCKS_KEYS", "UPSTREAMS"];

/** The environment of a Worker, checked. @throws ConfigError that names the variable, not its value */
export function parseWorkerVariables(env: unknown): WorkerVariables {
  const result = v.safeParse(workerVariables, env);
  if (result.success) return result.output;
  const [issue] = result.issues;
  const name = issue.path?.map((item) => String(item.key)).join(".") ?? "the environment";
  throw new ConfigError(`Cannot use ${name}: ${issue.message}`);
}

/**
 * Who may use a Worker, and for what. `stored` is what its KV namespace holds, where it has one.
 *
 * @throws ConfigError when not exactly one place has the keys, or they cannot be used
 */
export function accessOfWorker(
  variables: WorkerVariables,
  stored?: { readonly keys: unknown },
): Access {
  const { EDGESOCKS_SECRET: secret, EDGESOCKS_KEY_ID: id, EDGESOCKS_KEYS: keys } = variables;
  if ([stored, secret, keys].filter((place) => place !== undefined).length !== 1) {
    const ways = "the secret EDGESOCKS_SECRET, the secret EDGESOCKS_KEYS or the KV namespace KEYS";
    throw new ConfigError(`Cannot find the keys: give them by exactly one of ${ways}`);
  }
  const entries = secret === undefined ? (keys ?? stored?.keys) : [{ id, secret }];
  const access = parseAccess({ keys: entries, rules: variables.RULES });
  if (variables.BRIDGE === "stateless") requireNoWindows(access);
  return access;
}

/** Nothing outlives a connection there, so nothing could count what passes in a day or a minute. */
function requireNoWindows({ users }: Access): void {
  for (const { id, limits } of users) {
    if (limits.bytesPerDay === undefined && limits.streamsPerMinute === undefined) continue;
    const what = "bytes-per-day and streams-per-minute";
    throw new ConfigError(`Cannot use ${what} of the key ${id}: they need BRIDGE = "durable"`);
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
