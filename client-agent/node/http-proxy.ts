import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Clock } from "../../protocol/clock.ts";
import { HandshakeError, StreamError } from "../../protocol/errors.ts";
import { TcpChannel } from "../../protocol/node/tcp-channel.ts";
import { Command } from "../../protocol/wire.ts";
import type { Gateway } from "../listeners/gateway.ts";
import {
  authorize,
  HttpRefusal,
  parseAbsoluteForm,
  parseAuthority,
} from "../listeners/http-request.ts";
import type { Tunnel } from "../listeners/request.ts";
import type { Users } from "../listeners/users.ts";
import { connectReplies } from "./http-answer.ts";
import { HttpConnection } from "./http-connection.ts";
import { forward } from "./http-forward.ts";

export interface HttpProxyOptions {
  readonly clock: Clock;
  readonly gateway: Gateway;
  readonly users: Users;
  /** How long a client may take for the header of a request, and between two requests. */
  readonly handshakeTimeoutMs: number;
}

/** The HTTP proxy: Node's own server on sockets that somebody else accepted. */
export class HttpProxy {
  readonly #options: HttpProxyOptions;
  readonly #server: Server;
  readonly #connections = new Map<Socket, HttpConnection>();

  constructor(options: HttpProxyOptions) {
    this.#options = options;
    // The server's own timers start with listen() and would count a slow body; HttpConnection has one.
    this.#server = createServer({
      headersTimeout: 0,
      requestTimeout: 0,
      keepAliveTimeout: 0,
      // The target gets a Host of its own; what Node would answer itself could not be counted.
      requireHostHeader: false,
    });
    const take = (request: IncomingMessage, response: ServerResponse): void =>
      void this.#take(request, response);
    this.#server.on("request", take);
    this.#server.on("checkContinue", take);
    this.#server.on("checkExpectation", (request: IncomingMessage) =>
      this.#connections
        .get(request.socket)
        ?.turnAway(new HttpRefusal(417, "Cannot meet the expectation of the request")),
    );
    this.#server.on("connect", (request, socket, head) =>
      this.#connect(request, socket as Socket, head),
    );
    this.#server.on("clientError", (error, socket) =>
      this.#connections.get(socket as Socket)?.turnAway(reasonFor(error)),
    );
  }

  /** Serves requests, `unread` first. Rejects with why the client was turned away or broke off. */
  async serve(client: TcpChannel, unread: Uint8Array): Promise<Tunnel | undefined> {
    const { clock, handshakeTimeoutMs } = this.#options;
    const socket = client.release(unread);
    const connection = new HttpConnection(socket, clock, handshakeTimeoutMs);
    this.#connections.set(socket, connection);
    this.#server.emit("connection", socket);
    socket.resume();
    try {
      return await connection.outcome;
    } finally {
      this.#connections.delete(socket);
    }
  }

  /** Ends the connections between two requests now, the others after theirs. */
  close(): void {
    for (const connection of this.#connections.values()) connection.close();
  }

  async #take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const connection = this.#connections.get(request.socket);
    await connection?.take(request, response, async () => {
      const user = authorize(this.#options.users, request.headers["proxy-authorization"]);
      const target = parseAbsoluteForm(request.method ?? "", request.url ?? "");
      await forward({ ...this.#options, connection, request, response, target, user });
    });
  }

  #connect(request: IncomingMessage, socket: Socket, head: Buffer): void {
    const connection = this.#connections.get(socket);
    // The server has let go of the socket, also when the client is turned away.
    socket.resume();
    try {
      if (connection?.isBusy) {
        const text = "Cannot open a tunnel: another request of the client is not answered yet";
        throw new HandshakeError("ERR_HANDSHAKE", text);
      }
      const user = authorize(this.#options.users, request.headers["proxy-authorization"]);
      const address = parseAuthority(request.url ?? "");
      connection?.leave({
        request: { command: Command.Connect, address, user, replies: connectReplies },
        client: new TcpChannel(socket),
        early: new Uint8Array(head),
      });
    } catch (error) {
      connection?.turnAway(error);
    }
  }
}

/** What Node's parser and sockets complain about, as one of our errors. */
function reasonFor(error: Error & { code?: string; reason?: string }): Error {
  switch (error.code) {
    case "HPE_HEADER_OVERFLOW":
      return new HttpRefusal(431, "Cannot take the request: its header is too large");
    case "HPE_INVALID_EOF_STATE":
      return new HandshakeError("ERR_HANDSHAKE_EOF", "Cannot take the request: the client left");
    default: {
      if (!error.code?.startsWith("HPE_")) {
        const text = `The connection broke: ${error.message}`;
        return new StreamError("connection-reset", text, { cause: error });
      }
      return new HttpRefusal(400, `Cannot take the request: ${error.reason ?? error.code}`);
    }
  }
}
