import { type IncomingMessage, type RequestListener, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { type Admitted, type Keyring, NonceCache } from "../../protocol/admission.ts";
import type { Log } from "../../protocol/log.ts";
import { requestListener } from "../../protocol/node/http-server.ts";
import { ReadMemory } from "../../protocol/node/read-memory.ts";
import { answerUpgrade } from "../../protocol/node/ws-handshake.ts";
import type { Bridge } from "../bridge.ts";
import type { ClientGuard } from "../client-guard.ts";
import { createEdge } from "../edge.ts";
import type { Origin } from "../forwarded.ts";
import type { Tally } from "../tally.ts";
import { acceptCarrier } from "./accept-carrier.ts";
import { Departures } from "./departures.ts";

export interface EdgeRequestOptions {
  /** The keys, as they are now. */
  readonly keyring: () => Keyring;
  readonly bridge: Bridge;
  readonly guard: ClientGuard;
  readonly log: Log;
  readonly tally: Tally;
  /** Whether no carrier is taken, as the edge is about to end and nobody is away. */
  readonly isClosed: () => boolean;
}

/** What a listener does with what comes in. */
export interface EdgeRequests {
  readonly connection: (socket: Socket) => void;
  readonly request: RequestListener;
  readonly upgrade: (request: IncomingMessage, socket: Socket, head: Buffer) => void;
}

/** Tokens that may be alive at once; each lives for four minutes at most. */
const MAX_NONCES = 262_144;

interface Bindings {
  readonly incoming: IncomingMessage;
}

/** Joins Node's HTTP servers, the edge as HTTP sees it, and the bridge. */
export function createEdgeRequests(options: EdgeRequestOptions): EdgeRequests {
  const { bridge, guard, keyring } = options;
  const nonces = new NonceCache(MAX_NONCES);
  const memory = new ReadMemory();
  const departures = new Departures();
  const upgrades = new WeakMap<IncomingMessage, (user: string) => void>();
  const app = createEdge<Bindings>({
    keyring,
    hostOf: (_request, { incoming }) => originOf(guard, incoming).host,
    upgrade: (_request, admitted: Admitted, { incoming }) => {
      const upgrade = upgrades.get(incoming);
      if (!upgrade || !nonces.take(admitted, Date.now())) return undefined;
      const refusal = takeIn(options, departures, incoming);
      if (refusal) return refusal;
      upgrade(admitted.keyId);
      // The 101 is written already; this goes to the response that lost its socket.
      return new Response(null);
    },
  });
  const request = requestListener((asked, env) => app.fetch(asked, env));
  return {
    request,
    connection: (socket) => {
      const leave = guard.connected(socket.remoteAddress);
      if (leave) departures.add(socket, leave);
      else socket.destroy();
    },
    upgrade: (incoming, socket, head) => {
      const response = responseOn(socket, incoming);
      const answer = answerUpgrade(incoming.headers);
      if (answer !== undefined) {
        upgrades.set(incoming, (user) => {
          response.detachSocket(socket);
          const adopted = (next: Socket): void => departures.move(socket, next);
          bridge.accept(user, acceptCarrier(socket, head, answer, memory, adopted));
        });
      }
      request(incoming, response);
    },
  };
}

/**
 * Counts a carrier in, or gives what to answer instead. Only who has the secret gets to see these
 * answers, which tell an agent to come again soon.
 */
function takeIn(
  options: EdgeRequestOptions,
  departures: Departures,
  incoming: IncomingMessage,
): Response | undefined {
  const { guard, log, tally } = options;
  if (options.isClosed()) return new Response(null, { status: 503 });
  const origin = originOf(guard, incoming);
  const leave = guard.admitted(origin);
  if (!leave) return new Response(null, { status: 429 });
  departures.add(incoming.socket, leave);
  tally.admitted++;
  log.info("A carrier was admitted", { from: origin.address ?? "a Unix socket" });
  return undefined;
}

function originOf(guard: ClientGuard, incoming: IncomingMessage): Origin {
  return guard.originOf(incoming.socket.remoteAddress, (name) => {
    const value = incoming.headers[name];
    return Array.isArray(value) ? value.join(",") : value;
  });
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
