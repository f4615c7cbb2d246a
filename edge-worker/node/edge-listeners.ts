import { createServer, type IncomingMessage, type RequestListener, type Server } from "node:http";
import { createServer as createTlsServer, type Server as TlsServer } from "node:https";
import type { Socket } from "node:net";
import { type ListenEndpoint, listenAt } from "../../protocol/node/listening.ts";
import type { TlsPair } from "./tls-files.ts";

/** What a listener bounds by itself, before anybody is known. */
export interface HttpLimits {
  /** For the TLS handshake, and for the header of a request. */
  readonly headersTimeoutMs: number;
  /** For a whole request; nobody has reason to send a body. */
  readonly requestTimeoutMs: number;
  /** For the next request of a connection that is kept. */
  readonly keepAliveTimeoutMs: number;
  /** How often Node looks for those that are too slow. */
  readonly checkEveryMs: number;
  readonly maxHeaderBytes: number;
  readonly maxHeaders: number;
}

export const edgeHttpLimits: HttpLimits = {
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 15_000,
  keepAliveTimeoutMs: 5_000,
  checkEveryMs: 1_000,
  maxHeaderBytes: 8_192,
  maxHeaders: 64,
};

export interface ListenerOptions {
  /** Where TLS is spoken, if there is a pair; else plain HTTP. */
  readonly listen: readonly ListenEndpoint[];
  /** Where plain HTTP is spoken, whatever there is. */
  readonly listenPlain: readonly ListenEndpoint[];
  readonly pair: TlsPair | undefined;
  readonly limits: HttpLimits;
  /** Called for each connection before it is read. */
  readonly connection: (socket: Socket) => void;
  readonly request: RequestListener;
  readonly upgrade: (request: IncomingMessage, socket: Socket, head: Buffer) => void;
}

/** The open ports of an edge. */
export interface EdgeListeners {
  /** Where they are, in the order of `listen` and then of `listenPlain`. */
  readonly endpoints: readonly ListenEndpoint[];
  /** Speaks TLS with this pair from now on; connections that are open go on with theirs. */
  renew(pair: TlsPair): void;
  /** Takes no new connections; those that are open go on. */
  close(): void;
  /** Takes connections again, unless somebody else has the port by now. Never rejects. */
  reopen(): Promise<void>;
  /** Cuts what is open and was not upgraded. */
  cut(): void;
}

/** RFC 8996 has done away with what came before. */
const MIN_TLS_VERSION = "TLSv1.2";

/** Opens all ports or none. @throws the listener's own error (EADDRINUSE, EACCES ...) */
export async function openListeners(options: ListenerOptions): Promise<EdgeListeners> {
  const { listen, listenPlain, pair } = options;
  const endpoints: ListenEndpoint[] = [];
  const servers: Server[] = [];
  const secured: TlsServer[] = [];
  const cut = (): void => servers.forEach((server) => server.closeAllConnections());
  const close = (): void => servers.forEach((server) => server.close());
  try {
    for (const endpoint of listen) {
      const secure = pair && createSecureServer(options, pair);
      if (secure) secured.push(secure);
      const server = secure ?? createPlainServer(options);
      endpoints.push(await listenAt(server, endpoint));
      servers.push(server);
    }
    for (const endpoint of listenPlain) {
      const server = createPlainServer(options);
      endpoints.push(await listenAt(server, endpoint));
      servers.push(server);
    }
  } catch (error) {
    close();
    cut();
    throw error;
  }
  const renew = (renewed: TlsPair): void => {
    for (const server of secured) server.setSecureContext(secureOptions(renewed));
  };
  const reopen = async (): Promise<void> => {
    await Promise.allSettled(
      servers.map(async (server, index) => {
        const endpoint = endpoints[index];
        if (endpoint && !server.listening) await listenAt(server, endpoint);
      }),
    );
  };
  return { endpoints, renew, close, reopen, cut };
}

function createPlainServer(options: ListenerOptions): Server {
  return prepare(createServer(httpOptions(options.limits), options.request), options);
}

function createSecureServer(options: ListenerOptions, pair: TlsPair): TlsServer {
  const { limits, request } = options;
  const handshakeTimeout = limits.headersTimeoutMs;
  const all = { ...httpOptions(limits), ...secureOptions(pair), handshakeTimeout };
  return prepare(createTlsServer(all, request), options);
}

function prepare<Kind extends Server | TlsServer>(server: Kind, options: ListenerOptions): Kind {
  const { limits, connection, upgrade } = options;
  server.maxHeadersCount = limits.maxHeaders;
  // Who takes no answer is cut as well: nothing of it moves for that long.
  server.setTimeout(limits.requestTimeoutMs);
  server.on("connection", connection);
  server.on("upgrade", (request: IncomingMessage, socket: Socket, head: Buffer) => {
    // From here on the carrier has timers of its own.
    socket.setTimeout(0);
    upgrade(request, socket, head);
  });
  return server;
}

function httpOptions(limits: HttpLimits) {
  return {
    noDelay: true,
    headersTimeout: limits.headersTimeoutMs,
    requestTimeout: limits.requestTimeoutMs,
    keepAliveTimeout: limits.keepAliveTimeoutMs,
    connectionsCheckingInterval: limits.checkEveryMs,
    maxHeaderSize: limits.maxHeaderBytes,
  };
}

function secureOptions({ cert, key }: TlsPair) {
  return { cert, key, minVersion: MIN_TLS_VERSION } as const;
}
