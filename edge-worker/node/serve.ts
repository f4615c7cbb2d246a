import { createServer, type IncomingMessage, ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { Socket } from "node:net";
import { WebSocketServer } from "ws";
import { type Admission, type Admitted, NonceCache } from "../../protocol/admission.ts";
import type { Log } from "../../protocol/log.ts";
import { listenOn, requestListener } from "../../protocol/node/http-server.ts";
import { nodeClock } from "../../protocol/node/node-clock.ts";
import { attachCarrier, webSocketOptions } from "../../protocol/node/ws-carrier.ts";
import { Bridge } from "../bridge.ts";
import { createEdge } from "../edge.ts";
import { capabilitiesOf } from "../egress/egress.ts";
import { edgeLimits, helloOf } from "../limits.ts";
import { createPolicy } from "../policy/policy.ts";
import { nodeEgress } from "./node-egress.ts";

export interface NodeEdgeOptions {
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  /** PEM texts; without them the edge speaks plain HTTP, for a proxy in front or for loopback. */
  readonly tls?: { readonly cert: string; readonly key: string };
  readonly admission: Admission;
  readonly allowPrivate: boolean;
  readonly connectTimeoutMs: number;
  readonly log: Log;
}

/** An edge that is listening. */
export interface RunningEdge {
  readonly host: string;
  readonly port: number;
  /** Resolves when the edge has ended though nobody stopped it; undefined where it cannot. */
  readonly failed?: Promise<Error>;
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
  const { admission, log } = options;
  const nonces = new NonceCache(MAX_NONCES);
  const upgrades = new WeakMap<IncomingMessage, () => void>();
  const sockets = new WebSocketServer({ noServer: true, ...webSocketOptions });
  const bridge = new Bridge({
    clock: nodeClock,
    log,
    policy: createPolicy(options),
    egress: nodeEgress,
    connectTimeoutMs: options.connectTimeoutMs,
    hello: helloOf(edgeLimits, capabilitiesOf(nodeEgress), "node", ""),
  });

  const app = createEdge<Bindings>({
    admission: () => admission,
    upgrade: (_request, admitted: Admitted, { incoming }) => {
      const upgrade = upgrades.get(incoming);
      if (!upgrade || !nonces.take(admitted, Date.now())) return undefined;
      upgrade();
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
    upgrades.set(request, () => {
      response.detachSocket(socket);
      sockets.handleUpgrade(request, socket, head, (webSocket) => {
        bridge.accept((events) => attachCarrier(webSocket, events));
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
    server.closeAllConnections();
  };
  return { host: options.host, port, stop };
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
