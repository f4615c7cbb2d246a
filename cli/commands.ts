import { randomBytes } from "node:crypto";
import { isLoopback } from "./loopback.ts";
import type { Outbound } from "../edge-worker/egress/outbound.ts";
import { outboundOf } from "./outbound.ts";
import type { GateSettings } from "../client-agent/listeners/gate.ts";
import type { Password } from "../client-agent/node/hash-passwords.ts";
import { serveAgent, type UdpSettings } from "../client-agent/node/serve-agent.ts";
import type { GuardSettings } from "../edge-worker/client-guard.ts";
import type { Resumption } from "../edge-worker/limits.ts";
import { type NodeEdgeOptions, type RunningEdge, serveEdge } from "../edge-worker/node/serve.ts";
import { findWorkerd, serveWorkerdEdge } from "../edge-worker/node/serve-workerd.ts";
import type { TlsFiles } from "../edge-worker/node/tls-files.ts";
import { ConfigError } from "../protocol/errors.ts";
import type { Log } from "../protocol/log.ts";
import { formatEndpoint, type ListenEndpoint } from "../protocol/node/listening.ts";
import type { Service } from "./lifecycle.ts";
import { createLog } from "./logger.ts";
import { createReload } from "./reload.ts";
import { createAdmission, readAccess, readSecret } from "./secret.ts";
import type { FilePlace, SettingsOf, StartContext } from "./settings.ts";
import { tables } from "./tables.ts";
import { warnOfPasswords } from "./warn-of-passwords.ts";

type Tables = typeof tables;
export type LocalSettings = SettingsOf<Tables["local"]>;
export type AgentSettings = SettingsOf<Tables["agent"]>;
export type EdgeSettings = SettingsOf<Tables["edge"]>;

/** `edgesocks local`: agent and edge on this machine, joined by a secret that nobody sees. */
export async function startLocal(
  settings: LocalSettings,
  { placeOf }: Pick<StartContext<LocalSettings>, "placeOf">,
): Promise<Service> {
  const log = createLog(settings);
  const users = usersOf(settings, placeOf, log);
  const secret = randomBytes(32).toString("base64url");
  const keyId = "local";
  const runtime = settings.runtime ?? (findWorkerd() === undefined ? "node" : "workerd");
  const edge = await startRuntime(runtime, log, {
    listen: [settings["edge-listen"]],
    listenPlain: [],
    guard: ownGuard,
    access: { keys: [{ id: keyId, secret }], rules: [] },
    allowPrivate: true,
    connectTimeoutMs: settings["connect-timeout"],
    maxDials: settings["max-dials"],
    resumption: resumptionOf(settings),
    bridge: "durable",
    outbound: outboundOf(settings, runtime),
  });
  try {
    const url = `ws://${formatEndpoint({ ...settings["edge-listen"], port: edge.port })}/`;
    const agent = await serveAgent({
      listen: settings.listen,
      admin: settings.admin,
      edges: [new URL(url)],
      admission: createAdmission(keyId, secret),
      users,
      handshakeTimeoutMs: settings["handshake-timeout"],
      gate: gateOf(settings),
      udp: udpOf(settings),
      isolate: settings.isolate,
      open: settings.open,
      log,
    });
    return {
      ready: `socks ${formatEndpoint(agent.listen)} admin ${formatEndpoint(agent.admin ?? settings.admin)} edge ${url} (${runtime})`,
      failed: edge.failed,
      drainMs: settings["drain-timeout"],
      stop: async (drainMs) => {
        await agent.stop(drainMs);
        await edge.stop(0);
      },
    };
  } catch (error) {
    await edge.stop(0);
    throw error;
  }
}

/** `edgesocks agent`: the SOCKS port alone. */
export async function startAgent(
  settings: AgentSettings,
  { placeOf }: Pick<StartContext<AgentSettings>, "placeOf">,
): Promise<Service> {
  const log = createLog(settings);
  const users = usersOf(settings, placeOf, log);
  if (!settings.edge) {
    throw new ConfigError("Cannot start without an edge: give one by --edge wss://HOST/PATH");
  }
  const fallbacks = settings["fallback-edge"];
  const agent = await serveAgent({
    listen: settings.listen,
    ...(settings.admin ? { admin: settings.admin } : {}),
    isPortShared: settings["reuse-port"],
    edges: settings.edge,
    ...(fallbacks ? { fallbackEdges: fallbacks } : {}),
    admission: createAdmission(settings["key-id"], readSecret(settings)),
    users,
    handshakeTimeoutMs: settings["handshake-timeout"],
    gate: gateOf(settings),
    udp: udpOf(settings),
    isolate: settings.isolate,
    open: settings.open,
    log,
  });
  const admin = agent.admin ? ` admin ${formatEndpoint(agent.admin)}` : "";
  const ready = `socks ${formatEndpoint(agent.listen)}${admin} edge ${settings.edge.map(({ href }) => href).join(" ")}`;
  const drainMs = settings["drain-timeout"];
  return { ready, drainMs, stop: (withinMs) => agent.stop(withinMs) };
}

/** `edgesocks edge`: the edge alone. */
export async function startEdge(
  settings: EdgeSettings,
  { load }: Pick<StartContext<EdgeSettings>, "load">,
): Promise<Service> {
  const tls = tlsFilesOf(settings);
  const { runtime, admin } = settings;
  const log = createLog(settings);
  const stateFolder = settings["state-dir"];
  const edge = await startRuntime(runtime, log, {
    listen: settings.listen,
    listenPlain: settings["listen-plain"] ?? [],
    ...(tls ? { tls } : {}),
    ...(admin ? { admin } : {}),
    guard: guardOf(settings),
    access: readAccess(settings),
    ...(stateFolder === undefined ? {} : { stateFolder }),
    upstreams: settings.upstreams,
    allowPrivate: settings["allow-private"],
    connectTimeoutMs: settings["connect-timeout"],
    maxDials: settings["max-dials"],
    resumption: resumptionOf(settings),
    bridge: settings.bridge,
    outbound: outboundOf(settings, settings.runtime),
  });
  const urls = [
    ...edge.listen.map((endpoint) => urlOf(endpoint, tls ? "wss" : "ws")),
    ...edge.listenPlain.map((endpoint) => urlOf(endpoint, "ws")),
  ];
  const served = edge.admin ? ` admin ${formatEndpoint(edge.admin)}` : "";
  const reload = createReload({
    settings,
    load,
    take: (next) => edge.reload(readAccess(next)),
    taken: ["keys", "rules", "secret", "secret-file", "key-id"],
    log,
  });
  return {
    ready: `edge ${urls.join(" ")}${served} (${runtime})`,
    failed: edge.failed,
    drainMs: settings["drain-timeout"],
    reload: () => {
      reload();
      void edge.renew();
    },
    stop: (drainMs) => edge.stop(drainMs),
  };
}

interface RuntimeOptions extends Omit<NodeEdgeOptions, "log"> {
  readonly bridge: "durable" | "stateless";
  readonly outbound: Outbound;
}

function startRuntime(
  runtime: "node" | "workerd",
  log: Log,
  options: RuntimeOptions,
): Promise<RunningEdge> {
  if (runtime === "node") return serveEdge({ ...options, log });
  refuseOnWorkerd(options);
  const listen = [...options.listen, ...options.listenPlain];
  return serveWorkerdEdge({ ...options, listen, log });
}

/** workerd has the sockets to itself, and tells the Worker nothing of who is at their other end. */
function refuseOnWorkerd({ tls, admin, guard }: RuntimeOptions): void {
  const { ranges, isUnixTrusted } = guard.proxies;
  const refused = [
    tls && "--tls-cert with --runtime workerd: put a TLS proxy in front",
    admin && "--admin with --runtime workerd: only the edge on Node counts",
    (ranges.length > 0 || isUnixTrusted) &&
      "--trusted-proxies with --runtime workerd: it does not see who connects",
  ].find((text) => typeof text === "string");
  if (refused !== undefined) throw new ConfigError(`Cannot use ${refused}`);
}

function tlsFilesOf(settings: EdgeSettings): TlsFiles | undefined {
  const { "tls-cert": certFile, "tls-key": keyFile } = settings;
  if (certFile === undefined && keyFile === undefined) return undefined;
  if (certFile !== undefined && keyFile !== undefined) return { certFile, keyFile };
  throw new ConfigError("Cannot use --tls-cert without --tls-key: TLS needs both");
}

function guardOf(settings: EdgeSettings): GuardSettings {
  const fields = settings["forwarded-headers"];
  if (fields.includes("forwarded") && fields.includes("x-forwarded-for")) {
    throw new ConfigError(
      "Cannot use forwarded-headers with both forwarded and x-forwarded-for: a proxy that sets one passes on the other as a client made it up",
    );
  }
  return {
    maxConnections: settings["max-connections"],
    maxConnectionsPerAddress: settings["max-connections-per-address"],
    proxies: { ranges: [], isUnixTrusted: false, ...settings["trusted-proxies"], fields },
  };
}

/** The edge of `local` has but one agent, on this machine. */
const ownGuard: GuardSettings = {
  maxConnections: tables.edge["max-connections"].fallback,
  maxConnectionsPerAddress: tables.edge["max-connections-per-address"].fallback,
  proxies: { ranges: [], isUnixTrusted: false, fields: [] },
};

function urlOf(endpoint: ListenEndpoint, scheme: "ws" | "wss"): string {
  const text = formatEndpoint(endpoint);
  return "path" in endpoint ? text : `${scheme}://${text}/`;
}

function resumptionOf(settings: LocalSettings | EdgeSettings): Resumption {
  return {
    resumeWindow: settings["resume-window"],
    resumeMemory: settings["resume-memory"] * 1_048_576,
  };
}

function gateOf(settings: LocalSettings | AgentSettings): GateSettings {
  return {
    allow: settings.allow ?? [],
    maxClients: settings["max-clients"],
    maxClientsPerAddress: settings["max-clients-per-address"],
    maxHandshakes: settings["max-handshakes"],
  };
}

function udpOf(settings: LocalSettings | AgentSettings): UdpSettings {
  return {
    fragmentLimits: {
      maxBytes: settings["udp-fragment-bytes"],
      maxCount: settings["udp-fragment-count"],
      timeoutMs: settings["udp-fragment-timeout"],
    },
    queueBytes: settings["udp-queue-bytes"],
    uplinkBytes: settings["udp-uplink-bytes"],
  };
}

/** A port that others can reach, and no password: that would be an open proxy. @throws ConfigError */
function usersOf(
  { listen, users = new Map() }: LocalSettings | AgentSettings,
  placeOf: FilePlace,
  log: Log,
): ReadonlyMap<string, Password> {
  warnOfPasswords(users, placeOf("users"), log);
  if (users.size > 0 || isLoopback(listen.host)) return users;
  throw new ConfigError(
    `Cannot listen on ${formatEndpoint(listen)} without users: others could use the port. ` +
      `Set EDGESOCKS_USERS=NAME:PASSWORD, or users = ["NAME:PASSWORD"] in edgesocks.toml`,
  );
}
