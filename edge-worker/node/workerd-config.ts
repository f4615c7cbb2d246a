import { readFile } from "node:fs/promises";
import { findPackageJSON } from "node:module";
import { dirname, join } from "node:path";
import { parse } from "smol-toml";
import * as v from "valibot";
import type { Outbound } from "../egress/outbound.ts";
import { formatTurnUrl } from "../egress/turn/turn-url.ts";
import type { Resumption } from "../limits.ts";
import { ipv4Blocks, ipv6Blocks } from "../policy/special-registry.ts";
import { formatEndpoint, type ListenEndpoint } from "../../protocol/node/listening.ts";

export interface WorkerdConfig {
  /** At least one. */
  readonly listen: readonly ListenEndpoint[];
  /** The Unix socket of the runner, who has the keys and rules. */
  readonly runnerPath: string;
  /** Where the Durable Objects keep their storage: only on a disk is it SQLite. */
  readonly stateFolder: string;
  readonly allowPrivate: boolean;
  readonly connectTimeoutMs: number;
  /** workerd has no bound of its own, and a black hole holds its slot for two minutes. */
  readonly maxDials: number;
  readonly resumption: Resumption;
  readonly bridge: "durable" | "stateless";
  /** Streams of one carrier of the stateless bridge; undefined: as many as there are, as here nobody counts. */
  readonly maxOpens?: number;
  /** MiB of one carrier of the stateless bridge; undefined: without end. */
  readonly maxMebibytes?: number;
  /** Seconds after which the agent is to leave one; undefined: without end. */
  readonly maxAgeSeconds?: number;
  /** Whether this machine has IPv6: the Worker cannot tell. */
  readonly hasIpv6: boolean;
  /** False only to run a Worker as it is at Cloudflare, which keeps it off its own ranges. */
  readonly reachesCloudflare?: boolean;
  readonly outbound: Outbound;
  /** Certificates (PEM) that are trusted beside those of browsers. */
  readonly trusted: readonly string[];
}

/** What the Worker is called, in the configuration and by its inspector. */
export const SERVICE = "edge";

const WRANGLER = v.object({ compatibility_date: v.string() });

/** The workerd configuration (Cap'n Proto text) that runs worker.js as wrangler.toml deploys it. */
export async function formatWorkerdConfig(config: WorkerdConfig): Promise<string> {
  const { outbound } = config;
  const trusted = config.trusted.map(text).join(", ");
  return `using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
    (name = ${text(SERVICE)}, worker = .edge),
    (name = "internet", network = (
      ${formatNetwork(config.allowPrivate)},
      tlsOptions = (trustBrowserCas = true),
    )),
    (name = "state", disk = (path = ${text(config.stateFolder)}, writable = true)),
    (name = "runner", external = (address = ${text(`unix:${config.runnerPath}`)}, http = ())),
    (name = "operator", network = (
      allow = ["public", "private"],
      tlsOptions = (trustBrowserCas = true, trustedCertificates = [${trusted}]),
    )),
  ],
  sockets = [
    ${config.listen.map(formatSocket).join(",\n    ")},
  ],
);

const edge :Workerd.Worker = (
  modules = [(name = "worker.js", esModule = embed "worker.js")],
  compatibilityDate = ${text(await readCompatibilityDate())},
  globalOutbound = "internet",
  bindings = [
    (name = "UPSTREAMS", fromEnvironment = "UPSTREAMS"),
    (name = "REACHES_CLOUDFLARE", text = ${text(config.reachesCloudflare ?? true)}),
    (name = "BRIDGE", text = ${text(config.bridge)}),
    (name = "ALLOW_PRIVATE", text = ${text(config.allowPrivate)}),
    (name = "CONNECT_TIMEOUT_MS", text = ${text(config.connectTimeoutMs)}),
    (name = "MAX_DIALS", text = ${text(config.maxDials)}),
    (name = "MAX_OPENS", text = ${text(config.maxOpens ?? 0)}),
    (name = "MAX_MIB", text = ${text(config.maxMebibytes ?? 0)}),
    (name = "MAX_AGE_S", text = ${text(config.maxAgeSeconds ?? 0)}),
    (name = "HAS_IPV6", text = ${text(config.hasIpv6)}),
    (name = "RESUME_WINDOW_S", text = ${text(config.resumption.resumeWindow)}),
    (name = "RESUME_MEMORY_MIB", text = ${text(config.resumption.resumeMemory / 1_048_576)}),
    (name = "RUNNER", service = "runner"),
    (name = "OPERATOR_NETWORK", service = "operator"),
    (name = "DNS_URL", text = ${text(outbound.dnsUrls.join(" "))}),
    (name = "CLOUDFLARE_DNS_URL", text = ""),
    (name = "UDP", text = ${text(outbound.udp)}),
    (name = "UDP_IDLE_TIMEOUT_MS", text = ${text(outbound.udpIdleTimeoutMs)}),
${turnBindings(outbound.turn)}    (name = "BRIDGES", durableObjectNamespace = "DurableBridge"),
  ],
  durableObjectNamespaces = [
    (className = "DurableBridge", uniqueKey = "edgesocks", enableSql = true),
  ],
  durableObjectStorage = (localDisk = "state"),
);
`;
}

/**
 * Where connect() may go. workerd resolves the names, so the policy never sees their addresses; and
 * what it calls public has the forms of IPv6 in it that carry an IPv4 address (seen in
 * 1.20261023.1), and other special blocks. So the policy's own table is denied here, too.
 */
function formatNetwork(allowPrivate: boolean): string {
  if (allowPrivate) return 'allow = ["public", "private"]';
  const denied = [...ipv4Blocks, ...ipv6Blocks].map(([prefix]) => JSON.stringify(prefix));
  return `allow = ["public"], deny = [${denied.join(", ")}]`;
}

function formatSocket(endpoint: ListenEndpoint, index: number): string {
  const address = text(formatEndpoint(endpoint));
  return `(name = "${socketName(index)}", address = ${address}, http = (), service = ${text(SERVICE)})`;
}

/** What workerd calls the listener of the endpoint at `index` when it reports its port. */
export function socketName(index: number): string {
  return `http${index}`;
}

function text(value: string | number | boolean): string {
  return JSON.stringify(String(value));
}

/** The credentials go by the environment, as the secret does. */
function turnBindings(turn: Outbound["turn"]): string {
  if (!turn) return "";
  return `    (name = "TURN_URL", text = ${JSON.stringify(formatTurnUrl(turn.url))}),
    (name = "TURN_USERNAME", fromEnvironment = "TURN_USERNAME"),
    (name = "TURN_PASSWORD", fromEnvironment = "TURN_PASSWORD"),
`;
}

async function readCompatibilityDate(): Promise<string> {
  const manifest = findPackageJSON(import.meta.url);
  if (manifest === undefined) throw new Error("Cannot find the folder of this package");
  const file = await readFile(join(dirname(manifest), "wrangler.toml"), "utf8");
  return v.parse(WRANGLER, parse(file)).compatibility_date;
}
