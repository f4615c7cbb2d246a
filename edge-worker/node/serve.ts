import { createServer, type IncomingMessage, ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { Socket } from "node:net";
import { WebSocketServer } from "ws";
import { type Admitted, Keyring, NonceCache } from "../../protocol/admission.ts";
import type { Log } from "../../protocol/log.ts";
import { createDial } from "../../protocol/node/dial-carrier.ts";
import { listenOn, requestListener } from "../../protocol/node/http-server.ts";
import { nodeClock } from "../../protocol/node/node-clock.ts";
import { attachCarrier, webSocketOptions } from "../../protocol/node/ws-carrier.ts";
import { Bridge } from "../bridge.ts";
import { createEdge } from "../edge.ts";
import { capabilitiesOf } from "../egress/egress.ts";
import { edgeLimits, helloOf } from "../limits.ts";
import { type AccessEntries, parseAccess } from "../users/access.ts";
import { forgetfulStore } from "../users/usage.ts";
import { Users } from "../users/users.ts";
import { createUpstreams } from "../egress/upstream/create-upstreams.ts";
import { parseUpstreams, type UpstreamEntries } from "../egress/upstream/upstream-settings.ts";
import { createNodeEgress } from "./node-egress.ts";
import { openUsageFile } from "./usage-file.ts";

export interface NodeEdgeOptions {
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  /** PEM texts; without them the edge speaks plain HTTP, for a proxy in front or for loopback. */
  readonly tls?: { readonly cert: string; readonly key: string };
  readonly access: AccessEntries;
  /** Where usage is kept; without it every start counts from nothing. */
  readonly stateFolder?: string;
  readonly allowPrivate: boolean;
  readonly connectTimeoutMs: number;
  /** Targets that may be dialled at once; more wait for their turn. */
  readonly maxDials: number;
  /** Ways out behind this edge. */
  readonly upstreams?: UpstreamEntries;
  readonly log: Log;
}

/** An edge that is listening. */
export interface RunningEdge {
  readonly host: string;
  readonly port: number;
  /** Resolves when the edge has ended though nobody stopped it; undefined where it cannot. */
  readonly failed?: Promise<Error>;
  /** Takes other keys and rules; streams go on. @throws ConfigError, and nothing has changed */
  reload(access: AccessEntries): void;
  /** Asks agents to leave, waits up to `drainMs` for their streams to end, then stops. */
  stop(drainMs: number): Promise<void>;
}

/** Tokens that may be alive at once; each lives for four minutes at most. */
const MAX_NONCES = 262_144;
const DRAIN_POLL_MS = 50;

interface Bindings {
  readonly incoming: IncomingMessage;
}

/** Starts the edge on Node. @throws the listener's own error (EADDRINUSE, EACCES ...) */
export async function serveEdge(options: NodeEdgeOptions): Promise<RunningEdge> {
  const { allowPrivate, log, stateFolder } = options;
  const access = parseAccess(options.access);
  const store = stateFolder === undefined ? forgetfulStore : await openUsageFile(stateFolder, log);
  const users = new Users({
    ...access,
    allowPrivate,
    clock: nodeClock,
    wallNow: () => Date.now(),
    store,
  });
  let keyring = new Keyring(access.users);
  const nonces = new NonceCache(MAX_NONCES);
  const upgrades = new WeakMap<IncomingMessage, (user: string) => void>();
  const sockets = new WebSocketServer({ noServer: true, ...webSocketOptions });
  const direct = createNodeEgress({ clock: nodeClock, maxDials: options.maxDials });
  const { egress, close: closeUpstreams } = createUpstreams(
    parseUpstreams(options.upstreams ?? []),
    {
      ...options,
      clock: nodeClock,
      random: Math.random,
      direct,
      dialEdge: createDial,
    },
  );
  const bridge = new Bridge({
    clock: nodeClock,
    log,
    users,
    egress,
    connectTimeoutMs: options.connectTimeoutMs,
    hello: helloOf(edgeLimits, capabilitiesOf(egress), "node", ""),
  });

  const app = createEdge<Bindings>({
    keyring: () => keyring,
    upgrade: (_request, admitted: Admitted, { incoming }) => {
      const upgrade = upgrades.get(incoming);
      if (!upgrade || !nonces.take(admitted, Date.now())) return undefined;
      upgrade(admitted.keyId);
      // `ws` has written the 101 itself; this goes to the response that lost its socket.
      return new Response(null);
    },
  });
  const listener = requestListener((request, env) => app.fetch(request, env));

  const server = options.tls
    ? createTlsServer({ ...options.tls, noDelay: true }, listener)
    : createServer({ noDelay: true }, listener);
  server.on("upgrade", (request: IncomingMessage, socket: Socket, head: Buffer) => {
    const response = responseOn(socket, request);
    upgrades.set(request, (user) => {
      response.detachSocket(socket);
      sockets.handleUpgrade(request, socket, head, (webSocket) => {
        bridge.accept(user, (events) => attachCarrier(webSocket, events));
      });
    });
    listener(request, response);
  });
  const port = await listenOn(server, options.host, options.port);

  const stop = async (drainMs: number): Promise<void> => {
    server.close();
    bridge.drain(drainMs);
    const deadline = nodeClock.now() + drainMs;
    while (bridge.sessionCount > 0 && nodeClock.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, DRAIN_POLL_MS));
    }
    bridge.close();
    closeUpstreams();
    users.save();
    server.closeAllConnections();
  };
  const reload = (entries: AccessEntries): void => {
    const next = parseAccess(entries);
    keyring = new Keyring(next.users);
    users.replace(next);
    bridge.evict();
  };
  return { host: options.host, port, reload, stop };
}

/**
 * The response to an Upgrade request that is not granted. A stranger's Upgrade is answered as any
 * request is, by the same code and so with the same bytes; then the connection ends.
 */
function responseOn(socket: Socket, request: IncomingMessage): ServerResponse {
  const response = new ServerResponse(request);
  response.shouldKeepAlive = false;
  response.assignSocket(socket);
  response.on("finish", () => socket.destroySoon());
  socket.on("error", () => socket.destroy());
  return response;
}
