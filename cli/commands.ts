import { randomBytes } from "node:crypto";
import { createSecureContext } from "node:tls";
import { isLoopback } from "./loopback.ts";
import type { GateSettings } from "../client-agent/listeners/gate.ts";
import type { Password } from "../client-agent/node/hash-passwords.ts";
import { type Endpoint, serveAgent, type UdpSettings } from "../client-agent/node/serve-agent.ts";
import type { UpstreamEntries } from "../edge-worker/egress/upstream/upstream-settings.ts";
import { type RunningEdge, serveEdge } from "../edge-worker/node/serve.ts";
import { findWorkerd, serveWorkerdEdge } from "../edge-worker/node/serve-workerd.ts";
import type { AccessEntries } from "../edge-worker/users/access.ts";
import { ConfigError, messageOf } from "../protocol/errors.ts";
import type { Log } from "../protocol/log.ts";
import type { Service } from "./lifecycle.ts";
import { createLog } from "./logger.ts";
import { createReload } from "./reload.ts";
import { createAdmission, readAccess, readSecret } from "./secret.ts";
import type { FilePlace, SettingsOf, StartContext } from "./settings.ts";
import { readText } from "./sources.ts";
import type { tables } from "./tables.ts";
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
    ...settings["edge-listen"],
    access: { keys: [{ id: keyId, secret }], rules: [] },
    allowPrivate: true,
    connectTimeoutMs: settings["connect-timeout"],
    maxDials: settings["max-dials"],
    bridge: "durable",
  });
  try {
    const url = `ws://${formatEndpoint(edge)}/`;
    const agent = await serveAgent({
      listen: settings.listen,
      admin: settings.admin,
      edge: new URL(url),
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
  const agent = await serveAgent({
    listen: settings.listen,
    ...(settings.admin ? { admin: settings.admin } : {}),
    edge: settings.edge,
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
  const ready = `socks ${formatEndpoint(agent.listen)}${admin} edge ${settings.edge.href}`;
  return { ready, stop: (drainMs) => agent.stop(drainMs) };
}

/** `edgesocks edge`: the edge alone. */
export async function startEdge(
  settings: EdgeSettings,
  { load }: Pick<StartContext<EdgeSettings>, "load">,
): Promise<Service> {
  const tls = readTls(settings);
  const log = createLog(settings);
  const stateFolder = settings["state-dir"];
  const edge = await startRuntime(settings.runtime, log, {
    ...settings.listen,
    ...(tls ? { tls } : {}),
    access: readAccess(settings),
    ...(stateFolder === undefined ? {} : { stateFolder }),
    upstreams: settings.upstreams,
    allowPrivate: settings["allow-private"],
    connectTimeoutMs: settings["connect-timeout"],
    maxDials: settings["max-dials"],
    bridge: settings.bridge,
  });
  const scheme = tls ? "wss" : "ws";
  const ready = `edge ${scheme}://${formatEndpoint(edge)}/ (${settings.runtime})`;
  const reload = createReload({
    settings,
    load,
    take: (next) => edge.reload(readAccess(next)),
    taken: ["keys", "rules", "secret", "secret-file", "key-id"],
    log,
  });
  return { ready, failed: edge.failed, reload, stop: (drainMs) => edge.stop(drainMs) };
}

interface RuntimeOptions extends Endpoint {
  readonly access: AccessEntries;
  readonly upstreams?: UpstreamEntries;
  readonly stateFolder?: string;
  readonly tls?: { readonly cert: string; readonly key: string };
  readonly allowPrivate: boolean;
  readonly connectTimeoutMs: number;
  readonly maxDials: number;
  readonly bridge: "durable" | "stateless";
}

function startRuntime(
  runtime: "node" | "workerd",
  log: Log,
  options: RuntimeOptions,
): Promise<RunningEdge> {
  if (runtime === "node") return serveEdge({ ...options, log });
  if (options.tls) {
    throw new ConfigError("Cannot use --tls-cert with --runtime workerd: put a TLS proxy in front");
  }
  return serveWorkerdEdge({ ...options, log });
}

function readTls(settings: EdgeSettings): { cert: string; key: string } | undefined {
  const { "tls-cert": cert, "tls-key": key } = settings;
  if (cert === undefined && key === undefined) return undefined;
  if (cert !== undefined && key !== undefined) return readPair(cert, key);
  throw new ConfigError("Cannot use --tls-cert without --tls-key: TLS needs both");
}

/** @throws ConfigError for files that are no certificate and its key */
function readPair(certFile: string, keyFile: string): { cert: string; key: string } {
  const pair = { cert: readText(certFile), key: readText(keyFile) };
  try {
    createSecureContext(pair);
    return pair;
  } catch (cause) {
    const text = `Cannot use ${certFile} with ${keyFile} for TLS: ${messageOf(cause)}`;
    throw new ConfigError(text, { cause });
  }
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

function formatEndpoint({ host, port }: Endpoint): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
