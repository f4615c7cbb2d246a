import { Keyring } from "../../protocol/admission.ts";
import type { Log } from "../../protocol/log.ts";
import { type AdminServer, serveAdmin } from "../../protocol/node/admin-server.ts";
import { createDial } from "../../protocol/node/dial-carrier.ts";
import type { ListenEndpoint, TcpEndpoint } from "../../protocol/node/listening.ts";
import { nodeClock } from "../../protocol/node/node-clock.ts";
import { Bridge } from "../bridge.ts";
import { ClientGuard, type GuardSettings } from "../client-guard.ts";
import { capabilitiesOf, type Egress } from "../egress/egress.ts";
import { nodeOutbound, type Outbound } from "../egress/outbound.ts";
import { createUpstreams, type Opened } from "../egress/upstream/create-upstreams.ts";
import { parseUpstreams, type UpstreamEntries } from "../egress/upstream/upstream-settings.ts";
import { helloOf, processLimits, type Resumption, resumptionDefaults } from "../limits.ts";
import { Tally } from "../tally.ts";
import { type Access, type AccessEntries, parseAccess } from "../users/access.ts";
import { forgetfulStore } from "../users/usage.ts";
import { Users } from "../users/users.ts";
import { edgeHttpLimits, type EdgeListeners, openListeners } from "./edge-listeners.ts";
import { EdgeMetrics } from "./edge-metrics.ts";
import { createEdgeRequests } from "./edge-requests.ts";
import { createNodeEgress } from "./node-egress.ts";
import { loadTlsPair, type TlsFiles, type TlsPair } from "./tls-files.ts";
import { TlsWatch } from "./tls-watch.ts";
import { openUsageFile } from "./usage-file.ts";

export interface NodeEdgeOptions {
  /** At least one. */
  readonly listen: readonly ListenEndpoint[];
  /** Served without TLS even where the others have it. */
  readonly listenPlain: readonly ListenEndpoint[];
  /** Without them the edge speaks plain HTTP, for a proxy in front or for loopback. */
  readonly tls?: TlsFiles;
  /** Where /healthz and /metrics are; without it they are not served. */
  readonly admin?: TcpEndpoint;
  readonly guard: GuardSettings;
  readonly access: AccessEntries;
  /** Where usage is kept; without it every start counts from nothing. */
  readonly stateFolder?: string;
  readonly allowPrivate: boolean;
  readonly connectTimeoutMs: number;
  /** Targets that may be dialled at once; more wait for their turn. */
  readonly maxDials: number;
  /** Ways out behind this edge. */
  readonly upstreams?: UpstreamEntries;
  /** nodeOutbound, unless the operator says otherwise. */
  readonly outbound?: Outbound;
  readonly resumption?: Resumption;
  readonly log: Log;
}

/** An edge that is listening. */
export interface RunningEdge {
  /** Where agents may connect to. */
  readonly listen: readonly ListenEndpoint[];
  /** Where they may do so without TLS though the others have it. */
  readonly listenPlain: readonly ListenEndpoint[];
  readonly admin: TcpEndpoint | undefined;
  /** The port of the first of `listen`; 0 when that is a Unix socket. */
  readonly port: number;
  /** Resolves when the edge has ended though nobody stopped it; undefined where it cannot. */
  readonly failed?: Promise<Error>;
  /** Takes other keys and rules; streams go on. @throws ConfigError, and nothing has changed */
  reload(access: AccessEntries): void;
  /** Reads the certificate again, now. Never rejects. */
  renew(): Promise<void>;
  /** Asks agents to leave, waits up to `drainMs` for their streams to end, then stops. */
  stop(drainMs: number): Promise<void>;
}

const DRAIN_POLL_MS = 50;

/**
 * Starts the edge on Node.
 *
 * @throws ConfigError for a certificate that cannot be used
 * @throws the listener's own error (EADDRINUSE, EACCES ...)
 */
export async function serveEdge(options: NodeEdgeOptions): Promise<RunningEdge> {
  const { tls, log } = options;
  const access = parseAccess(options.access);
  const pair = tls && (await loadTlsPair(tls));
  const tally = new Tally();
  const guard = new ClientGuard({ ...options.guard, clock: nodeClock, log });
  const users = await createUsers(options, access);
  let keyring = new Keyring(access.users);
  const { egress, close: closeUpstreams } = createEgress(options);
  const bridge = createBridge(options, egress, users, tally);
  let isStopping = false;
  const requests = createEdgeRequests({
    bridge,
    guard,
    log,
    tally,
    keyring: () => keyring,
    isClosed: () => isStopping && bridge.waitingCount === 0,
  });
  const listeners = await openListeners({ ...options, ...requests, pair, limits: edgeHttpLimits });
  const watch = tls && pair && watchTls(tls, pair, listeners, log);
  const metrics = new EdgeMetrics(tally, () => ({
    sessions: bridge.sessionCount,
    connections: guard.count,
    connectionsRefused: guard.refused,
    certificateExpiresAt: watch?.current.expiresAt,
  }));
  const admin = await serveAdminBeside(options.admin, metrics).catch((error: unknown) => {
    // Nothing may stay open when the start fails.
    watch?.stop();
    listeners.close();
    throw error;
  });
  return {
    port: portOf(listeners.endpoints),
    listen: listeners.endpoints.slice(0, options.listen.length),
    listenPlain: listeners.endpoints.slice(options.listen.length),
    admin,
    reload: (entries) => {
      const next = parseAccess(entries);
      keyring = new Keyring(next.users);
      users.replace(next);
      bridge.evict();
    },
    renew: async () => watch?.check(),
    stop: async (drainMs) => {
      isStopping = true;
      watch?.stop();
      await drain(bridge, listeners, drainMs);
      closeUpstreams();
      users.save();
      listeners.cut();
      admin?.close();
    },
  };
}

function watchTls(files: TlsFiles, pair: TlsPair, listeners: EdgeListeners, log: Log): TlsWatch {
  const load = (): Promise<TlsPair> => loadTlsPair(files);
  return new TlsWatch(pair, {
    clock: nodeClock,
    log,
    load,
    apply: (renewed) => listeners.renew(renewed),
  });
}

async function createUsers(options: NodeEdgeOptions, access: Access): Promise<Users> {
  const { allowPrivate, log, stateFolder } = options;
  const store = stateFolder === undefined ? forgetfulStore : await openUsageFile(stateFolder, log);
  const wallNow = (): number => Date.now();
  return new Users({ ...access, allowPrivate, clock: nodeClock, wallNow, store });
}

function createEgress(options: NodeEdgeOptions): Opened {
  const outbound = options.outbound ?? nodeOutbound;
  const { resumption = resumptionDefaults } = options;
  return createUpstreams(parseUpstreams(options.upstreams ?? []), {
    ...options,
    resumption,
    clock: nodeClock,
    random: Math.random,
    direct: createNodeEgress({ ...options, clock: nodeClock, outbound }),
    dialEdge: createDial,
  });
}

function createBridge(
  options: NodeEdgeOptions,
  egress: Egress,
  users: Users,
  tally: Tally,
): Bridge {
  const { resumption = resumptionDefaults } = options;
  return new Bridge({
    clock: nodeClock,
    log: options.log,
    tally,
    users,
    egress,
    connectTimeoutMs: options.connectTimeoutMs,
    hello: helloOf(processLimits, resumption, capabilitiesOf(egress), "node", ""),
    resumeMemory: resumption.resumeMemory,
  });
}

async function serveAdminBeside(
  admin: TcpEndpoint | undefined,
  metrics: EdgeMetrics,
): Promise<AdminServer | undefined> {
  return admin && serveAdmin(admin.host, admin.port, metrics);
}

/** The port is another edge's, unless somebody is away who has streams here. */
async function drain(bridge: Bridge, listeners: EdgeListeners, drainMs: number): Promise<void> {
  bridge.drain(drainMs);
  const deadline = nodeClock.now() + drainMs;
  while (bridge.sessionCount > 0 && nodeClock.now() < deadline) {
    if (bridge.waitingCount > 0) await listeners.reopen();
    else listeners.close();
    await new Promise((resolve) => setTimeout(resolve, DRAIN_POLL_MS));
  }
  listeners.close();
  bridge.close();
}

/** The port of the first endpoint; 0 when that is a Unix socket. */
export function portOf([first]: readonly ListenEndpoint[]): number {
  return first && "port" in first ? first.port : 0;
}
