import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Clock } from "../../protocol/clock.ts";
import { type FailureReason, HandshakeError, StreamError } from "../../protocol/errors.ts";
import { readPlainly } from "../../protocol/node/socket-reader.ts";
import { TcpChannel } from "../../protocol/node/tcp-channel.ts";
import { Command } from "../../protocol/wire.ts";
import type { Gateway } from "../listeners/gateway.ts";
import {
  authorize,
  HttpRefusal,
  parseAbsoluteForm,
  parseAuthority,
  requireOneHost,
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
        ?.turnAway(
          new HttpRefusal(417, "Cannot meet the expectation of the request"),
          request.method === "HEAD",
        ),
    );
    this.#server.on(
      "connect",
      (request, socket, head) => void this.#connect(request, socket as Socket, head),
    );
    this.#server.on("clientError", (error, socket) => this.#refuse(error, socket as Socket));
  }

  /**
   * Serves requests, `unread` first, if `enter` has nothing against it. Rejects with why the client
   * was turned away or broke off.
   */
  async serve(
    client: TcpChannel,
    unread: Uint8Array,
    enter: () => FailureReason | undefined,
  ): Promise<Tunnel | undefined> {
    const { clock, handshakeTimeoutMs: timeoutMs } = this.#options;
    const socket = client.release(unread);
    const [firstByte] = unread;
    const connection = new HttpConnection(socket, { clock, timeoutMs, enter, firstByte });
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
      const user = await this.#admit(request, connection);
      const target = parseAbsoluteForm(request.method ?? "", request.url ?? "");
      await forward({ ...this.#options, connection, request, response, target, user });
    });
  }

  async #connect(request: IncomingMessage, socket: Socket, head: Buffer): Promise<void> {
    const connection = this.#connections.get(socket);
    if (!connection) return;
    // The server has let go of the socket. What the client sends meanwhile waits in its channel.
    const client = new TcpChannel(readPlainly(socket));
    socket.resume();
    try {
      if (connection.isBusy) {
        const text = "Cannot open a tunnel: another request of the client is not answered yet";
        throw new HandshakeError("ERR_HANDSHAKE", text);
      }
      const user = await this.#admit(request, connection);
      const address = parseAuthority(request.url ?? "");
      connection.leave({
        request: { command: Command.Connect, address, user, replies: connectReplies },
        client,
        early: new Uint8Array(head),
      });
    } catch (error) {
      // Nobody reads it any more, but what comes must go for the client's own end to be seen.
      client.release(new Uint8Array()).resume();
      connection.turnAway(error);
    }
  }

  /** Who sends a request that may be served; undefined when nobody had to say. @throws HttpRefusal */
  #admit(request: IncomingMessage, connection: HttpConnection): Promise<string | undefined> {
    connection.enter(request);
    requireOneHost(request.rawHeaders);
    const credentials = request.headers["proxy-authorization"];
    return connection.prepare((signal) => authorize(this.#options.users, credentials, signal));
  }

  #refuse(error: ParserError, socket: Socket): void {
    const isHead = error.rawPacket?.toString("latin1", 0, 5) === "HEAD ";
    this.#connections.get(socket)?.turnAway(reasonFor(error), isHead || undefined);
  }
}

/** What Node's parser and sockets complain about. */
interface ParserError extends Error {
  readonly code?: string;
  readonly reason?: string;
  /** What the parser was given last. */
  readonly rawPacket?: Buffer;
}

/** A complaint as one of our errors. */
function reasonFor(error: ParserError): Error {
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
