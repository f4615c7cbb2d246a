import { readFile } from "node:fs/promises";
import { findPackageJSON } from "node:module";
import { dirname, join } from "node:path";
import { parse } from "smol-toml";
import * as v from "valibot";
import { ipv4Blocks, ipv6Blocks } from "../policy/special-registry.ts";
import { formatEndpoint, type ListenEndpoint } from "../../protocol/node/listening.ts";
import type { AccessEntries } from "../users/access.ts";

export interface WorkerdConfig {
  /** At least one. */
  readonly listen: readonly ListenEndpoint[];
  /** The Unix socket of the stop notice. */
  readonly noticePath: string;
  readonly access: Pick<AccessEntries, "rules">;
  /** Where the Durable Objects keep their storage: only on a disk is it SQLite. */
  readonly stateFolder: string;
  readonly allowPrivate: boolean;
  readonly connectTimeoutMs: number;
  /** workerd has no bound of its own, and a black hole holds its slot for two minutes. */
  readonly maxDials: number;
  readonly bridge: "durable" | "stateless";
  readonly dnsUrl: string;
  /** Whether this machine has IPv6: the Worker cannot tell. */
  readonly hasIpv6: boolean;
  /** False only to run a Worker as it is at Cloudflare, which keeps it off its own ranges. */
  readonly reachesCloudflare?: boolean;
}

const WRANGLER = v.object({ compatibility_date: v.string() });

/** The workerd configuration (Cap'n Proto text) that runs worker.js as wrangler.toml deploys it. */
export async function formatWorkerdConfig(config: WorkerdConfig): Promise<string> {
  return `using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
    (name = "edge", worker = .edge),
    (name = "internet", network = (
      ${formatNetwork(config.allowPrivate)},
      tlsOptions = (trustBrowserCas = true),
    )),
    (name = "state", disk = (path = ${text(config.stateFolder)}, writable = true)),
    (name = "runner", external = (address = ${text(`unix:${config.noticePath}`)}, http = ())),
    (name = "resolver", external = (address = ${text(new URL(config.dnsUrl).host)}, http = ())),
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
    (name = "EDGESOCKS_KEYS", fromEnvironment = "EDGESOCKS_KEYS"),
    (name = "RULES", text = ${text(JSON.stringify(config.access.rules))}),
    (name = "UPSTREAMS", fromEnvironment = "UPSTREAMS"),
    (name = "REACHES_CLOUDFLARE", text = ${text(config.reachesCloudflare ?? true)}),
    (name = "BRIDGE", text = ${text(config.bridge)}),
    (name = "ALLOW_PRIVATE", text = ${text(config.allowPrivate)}),
    (name = "CONNECT_TIMEOUT_MS", text = ${text(config.connectTimeoutMs)}),
    (name = "MAX_DIALS", text = ${text(config.maxDials)}),
    (name = "HAS_IPV6", text = ${text(config.hasIpv6)}),
    (name = "RESOLVER", service = "resolver"),
    (name = "RUNNER", service = "runner"),
    (name = "DNS_URL", text = ${text(config.dnsUrl)}),
    (name = "BRIDGES", durableObjectNamespace = "DurableBridge"),
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
  return `(name = "${socketName(index)}", address = ${address}, http = (), service = "edge")`;
}

/** What workerd calls the listener of the endpoint at `index` when it reports its port. */
export function socketName(index: number): string {
  return `http${index}`;
}

function text(value: string | number | boolean): string {
  return JSON.stringify(String(value));
}

async function readCompatibilityDate(): Promise<string> {
  const manifest = findPackageJSON(import.meta.url);
  if (manifest === undefined) throw new Error("Cannot find the folder of this package");
  const file = await readFile(join(dirname(manifest), "wrangler.toml"), "utf8");
  return v.parse(WRANGLER, parse(file)).compatibility_date;
}
