import * as v from "valibot";
import { ConfigError } from "../protocol/errors.ts";
import { upstreamsSchema } from "./egress/upstream/upstream-settings.ts";
import { UDP_IDLE_TIMEOUT_MS } from "./egress/outbound.ts";
import type { TurnSettings } from "./egress/turn/turn-server.ts";
import { parseTurnUrl, TURN_URL_WORDS } from "./egress/turn/turn-url.ts";
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

const DNS_WORDS = "expected a URL, or several with spaces between them";

/** One URL, or several with spaces between them. */
const DNS_URLS = v.pipe(
  v.string("expected a URL"),
  v.trim(),
  v.transform((text) => text.split(/\s+/)),
  v.check(
    (urls) => urls.every((url) => /^https?:/.test(URL.parse(url)?.protocol ?? "")),
    DNS_WORDS,
  ),
);

const TURN_URL = v.pipe(
  v.string(TURN_URL_WORDS),
  v.rawTransform(({ dataset, addIssue, NEVER }) => {
    const url = parseTurnUrl(dataset.value);
    if (url) return url;
    addIssue({ message: TURN_URL_WORDS });
    return NEVER;
  }),
);

/** What RFC 8489 section 14.3 has room for, with three bytes a character. */
const CREDENTIAL = v.pipe(
  v.string("expected a text"),
  v.regex(/^[^\p{Cc}]{1,169}$/u, "expected 1 to 169 characters"),
);

/** A number in digits, within bounds. */
function count(min: number, max: number, what: string) {
  const expected = `expected ${min} to ${max} ${what}`;
  return v.pipe(
    v.string(expected),
    v.regex(/^\d+$/, expected),
    v.transform(Number),
    v.minValue(min, expected),
    v.maxValue(max, expected),
  );
}

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
  CONNECT_TIMEOUT_MS: v.optional(count(100, 120_000, "milliseconds"), "15000"),
  // Cloudflare establishes six connections at once for an invocation, and lets the rest wait
  // without a word; fetch() to the resolver needs one.
  MAX_DIALS: v.optional(count(1, 65_535, "dials"), "5"),
  // Of the 50 subrequests that an invocation has on the Free plan some go to the resolver.
  MAX_OPENS: v.optional(count(0, 1_000_000, "streams"), "40"),
  // Bytes cost an invocation CPU time, of which it has 10 ms on the Free plan.
  MAX_MIB: v.optional(count(0, 16_777_216, "MiB"), "0"),
  MAX_AGE_S: v.optional(count(0, 604_800, "seconds"), "0"),
  HAS_IPV6: v.optional(SWITCH, "true"),
  RESUME_WINDOW_S: v.optional(count(0, 86_400, "seconds"), "60"),
  RESUME_MEMORY_MIB: v.optional(count(2, 64, "MiB"), "32"),
  DNS_URL: v.optional(DNS_URLS, "https://cloudflare-dns.com/dns-query"),
  CLOUDFLARE_DNS_URL: v.optional(
    v.pipe(
      v.string("expected a URL"),
      v.check((text) => text === "" || URL.canParse(text), "expected a URL, or nothing"),
    ),
  ),
  UDP: v.optional(v.picklist(["dns", "turn", "off"], "expected dns, turn or off"), "dns"),
  UDP_IDLE_TIMEOUT_MS: v.optional(
    count(1000, 3_600_000, "milliseconds"),
    String(UDP_IDLE_TIMEOUT_MS),
  ),
  TURN_URL: v.optional(TURN_URL),
  TURN_USERNAME: v.optional(CREDENTIAL),
  TURN_PASSWORD: v.optional(CREDENTIAL),
});
export type WorkerVariables = v.InferOutput<typeof workerVariables>;

/** Names that hold secrets: they never stand in wrangler.toml, and their values are never shown. */
export const workerSecrets: readonly string[] = [
  "EDGESOCKS_SECRET",
  "EDGESOCKS_KEYS",
  "UPSTREAMS",
  "TURN_USERNAME",
  "TURN_PASSWORD",
];

/** The environment of a Worker, checked. @throws ConfigError that names the variable, not its value */
export function parseWorkerVariables(env: unknown): WorkerVariables {
  const result = v.safeParse(workerVariables, env);
  if (result.success) return result.output;
  const [issue] = result.issues;
  const name = issue.path?.map((item) => String(item.key)).join(".") ?? "the environment";
  throw new ConfigError(`Cannot use ${name}: ${issue.message}`);
}

/** Keys that are kept elsewhere than in a variable, and rules if they are there, too. */
export interface StoredAccess {
  readonly keys: unknown;
  readonly rules?: unknown;
}

/**
 * Who may use a Worker, and for what. `stored` is what its KV namespace holds, where it has one.
 *
 * @throws ConfigError when not exactly one place has the keys, or they cannot be used
 */
export function accessOfWorker(variables: WorkerVariables, stored?: StoredAccess): Access {
  const { EDGESOCKS_SECRET: secret, EDGESOCKS_KEY_ID: id, EDGESOCKS_KEYS: keys } = variables;
  if ([stored, secret, keys].filter((place) => place !== undefined).length !== 1) {
    const ways = "the secret EDGESOCKS_SECRET, the secret EDGESOCKS_KEYS or the KV namespace KEYS";
    throw new ConfigError(`Cannot find the keys: give them by exactly one of ${ways}`);
  }
  const entries = secret === undefined ? (keys ?? stored?.keys) : [{ id, secret }];
  const access = parseAccess({ keys: entries, rules: stored?.rules ?? variables.RULES });
  if (variables.BRIDGE === "stateless") requireNoWindows(access);
  return access;
}

/** The TURN server of a Worker. @throws ConfigError when it is wanted and not all there */
export function turnOfWorker(variables: WorkerVariables): TurnSettings | undefined {
  if (variables.UDP !== "turn") return undefined;
  const { TURN_URL: url, TURN_USERNAME: username, TURN_PASSWORD: password } = variables;
  if (url && username !== undefined && password !== undefined) return { url, username, password };
  throw new ConfigError(
    "Cannot use UDP = turn: TURN_URL, TURN_USERNAME or TURN_PASSWORD is not set",
  );
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
