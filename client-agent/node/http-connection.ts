import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Cancel, Clock } from "../../protocol/clock.ts";
import { type FailureReason, HandshakeError, StreamError } from "../../protocol/errors.ts";
import { replyTo } from "../../protocol/failure.ts";
import { HttpRefusal } from "../listeners/http-request.ts";
import type { Tunnel } from "../listeners/request.ts";
import { encodeAnswer } from "./http-answer.ts";

/** Requests of one client that may wait for their turn. */
const MAX_TURNS = 64;

export interface HttpConnectionOptions {
  readonly clock: Clock;
  /** How long a client may take for a request, and for what must be known before it is served. */
  readonly timeoutMs: number;
  /** Asks whether the client is served, once it has made a request. */
  readonly enter: () => FailureReason | undefined;
  /** The first byte of the first request. */
  readonly firstByte: number | undefined;
}

/** One client's connection for as long as the HTTP server reads it: whose turn it is, and its end. */
export class HttpConnection {
  readonly #socket: Socket;
  readonly #options: HttpConnectionOptions;
  readonly #outcome = Promise.withResolvers<Tunnel | undefined>();
  #cancelTimer: Cancel = () => {};
  /** `bytesRead` when the last answer was complete. */
  #bytesSeen = 0;
  #lastTurn: Promise<void> = Promise.resolve();
  #turns = 0;
  #exchange: { request: IncomingMessage; response: ServerResponse } | undefined;
  /** Whether what is answered next is a HEAD, as far as can be told before its header is there. */
  #isHead: boolean;
  #isClosing = false;
  #failure: unknown;
  #onFailed: (reason: unknown) => void = () => {};

  constructor(socket: Socket, options: HttpConnectionOptions) {
    this.#socket = socket;
    this.#options = options;
    // No other method of RFC 9110 begins with an H.
    this.#isHead = options.firstByte === 0x48;
    this.#awaitRequest();
    socket.once("close", () => {
      this.#fail(new StreamError("connection-reset", "The client broke off"));
      this.#outcome.resolve(undefined);
    });
  }

  /** The tunnel that the client asked for, undefined once it has left; rejects when it failed. */
  get outcome(): Promise<Tunnel | undefined> {
    return this.#outcome.promise;
  }

  /** Whether a request is being answered. */
  get isBusy(): boolean {
    return this.#turns > 0;
  }

  /** Whether the client has left or was turned away: nothing may be written for it any more. */
  get hasFailed(): boolean {
    return this.#failure !== undefined;
  }

  /** Calls back once when the client breaks off or is turned away. The last callback counts. */
  onceFailed(callback: (reason: unknown) => void): void {
    if (this.#failure === undefined) this.#onFailed = callback;
    else callback(this.#failure);
  }

  /** The client has made a request. @throws HttpRefusal for a client that is not served */
  enter(request: IncomingMessage): void {
    this.#isHead = request.method === "HEAD";
    const reason = this.#options.enter();
    if (reason === undefined) return;
    throw new HttpRefusal(replyTo[reason].http, `Cannot serve the client: ${reason}`);
  }

  /** Does what a request waits for, within its time and for as long as the client is there. */
  async prepare<Result>(work: (signal: AbortSignal) => Promise<Result>): Promise<Result> {
    const leaving = new AbortController();
    this.onceFailed((reason) => leaving.abort(reason));
    const seconds = this.#options.timeoutMs / 1000;
    const text = `Cannot authenticate: no answer within ${seconds} s`;
    this.#cancelTimer();
    this.#cancelTimer = this.#options.clock.after(this.#options.timeoutMs, () =>
      this.turnAway(new HttpRefusal(503, text, "ERR_HANDSHAKE_TIMEOUT")),
    );
    try {
      return await work(leaving.signal);
    } finally {
      this.#cancelTimer();
    }
  }

  /** Answers a request after those before it, as RFC 9112 section 9.3.2 wants it for POST. */
  async take(
    request: IncomingMessage,
    response: ServerResponse,
    answer: () => Promise<void>,
  ): Promise<void> {
    this.#cancelTimer();
    if (this.#turns === MAX_TURNS) {
      const text = `Cannot take more than ${MAX_TURNS} requests ahead of their answers`;
      return this.turnAway(new HandshakeError("ERR_HANDSHAKE", text));
    }
    this.#turns++;
    // Written to a client that has left: its "close" tells the same.
    response.on("error", () => {});
    const turn = this.#lastTurn.then(async () => {
      if (this.#failure !== undefined) return;
      this.#exchange = { request, response };
      await answer();
    });
    this.#lastTurn = turn.catch((error: unknown) => this.turnAway(error));
    await this.#lastTurn;
    // Nobody wants the rest of the body, yet it must be read for the client to hear the answer.
    request.resume();
    if (--this.#turns > 0 || this.#failure !== undefined) return;
    this.#onFailed = () => {};
    this.#isHead = false;
    this.#bytesSeen = this.#socket.bytesRead;
    if (this.#isClosing) this.#socket.destroySoon();
    else this.#awaitRequest();
  }

  /** The client gets its tunnel: the HTTP server has let go of the socket. */
  leave(tunnel: Tunnel): void {
    this.#cancelTimer();
    this.#outcome.resolve(tunnel);
  }

  /** Answers an HttpRefusal where that is still possible; what is cut must not look complete. */
  turnAway(error: unknown, isForHead = this.#isHead): void {
    if (this.#failure !== undefined) return;
    const { response } = this.#exchange ?? {};
    const isAnswering = response?.headersSent === true && !response.writableFinished;
    if (error instanceof HttpRefusal && this.#socket.writable && !isAnswering) {
      this.#socket.write(encodeAnswer(error.status, error.message, isForHead));
    } else if (this.isBusy || !(error instanceof HandshakeError)) {
      this.#socket.resetAndDestroy();
    }
    this.#fail(error);
    this.#outcome.reject(error);
  }

  /** Ends the connection once no request is being answered. */
  close(): void {
    this.#isClosing = true;
    if (!this.isBusy && this.#failure === undefined) this.#socket.destroySoon();
  }

  #fail(reason: unknown): void {
    this.#cancelTimer();
    if (this.#failure !== undefined) return;
    this.#failure = reason;
    this.#onFailed(reason);
  }

  #awaitRequest(): void {
    this.#cancelTimer = this.#options.clock.after(this.#options.timeoutMs, () => this.#expire());
  }

  #expire(): void {
    const isBetweenRequests = this.#socket.bytesRead === this.#bytesSeen;
    const isIgnored = this.#exchange?.request.complete === false;
    if (isBetweenRequests || isIgnored) return this.#socket.destroySoon();
    const seconds = this.#options.timeoutMs / 1000;
    const text = `Cannot take the request: no whole header within ${seconds} s`;
    this.turnAway(new HttpRefusal(408, text, "ERR_HANDSHAKE_TIMEOUT"));
  }
}
