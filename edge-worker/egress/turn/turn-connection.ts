import type { ByteChannel } from "../../../protocol/channel.ts";
import type { Cancel } from "../../../protocol/clock.ts";
import { StreamError } from "../../../protocol/errors.ts";
import { withDeadline } from "../deadline.ts";
import { hasValidFingerprint } from "./stun-integrity.ts";
import {
  type Attribute,
  attributeOf,
  decodeStun,
  encodeStun,
  StunAttribute,
  StunClass,
  type StunMessage,
  TRANSACTION_ID_LENGTH,
} from "./stun-message.ts";
import { decodeErrorCode } from "./stun-values.ts";
import { TurnCredentials } from "./turn-credentials.ts";
import { turnFailure } from "./turn-failure.ts";
import { encodeChannelData, TurnDeframer, type TurnFrame } from "./turn-framing.ts";
import type { TurnServer } from "./turn-server.ts";

export interface TurnEvents {
  indication(message: StunMessage): void;
  /** `bytes` came by a channel. */
  channelData(channel: number, bytes: Uint8Array): void;
  /** The connection has ended. Not called after close(). */
  lost(reason: StreamError): void;
}

/** RFC 8489 section 6.2.2 waits 39.5 s by TCP; nobody waits that long for a SOCKS reply. */
const REQUEST_TIMEOUT_MS = 10_000;
/** Challenge, stale nonce, and once more. */
const MAX_TRIES = 3;
/** Bytes of datagrams that may wait for the connection; a flood beyond it is dropped, newest first. */
const MAX_WAITING_BYTES = 262_144;
const OVERHEAD_BYTES = 64;

type Response = { readonly message: StunMessage; readonly bytes: Uint8Array };

/** A control connection to a TURN server (RFC 8656): requests with their answers, and what else comes. */
export class TurnConnection {
  readonly #server: TurnServer;
  readonly #events: TurnEvents;
  readonly #channel: ByteChannel;
  /** For data connections, too: the server asks them for the nonce of their allocation. */
  readonly credentials: TurnCredentials;
  readonly #requests = new Map<string, (response: Response | StreamError) => void>();
  readonly #outbox: Uint8Array[] = [];
  #waitingBytes = 0;
  #isWriting = false;
  #end: StreamError | undefined;

  constructor(server: TurnServer, channel: ByteChannel, events: TurnEvents) {
    this.#server = server;
    this.#channel = channel;
    this.#events = events;
    this.credentials = new TurnCredentials(server);
    channel.onceFailed((cause) => this.#lose(cause));
    void this.#read();
  }

  /** The success response to a request. @throws StreamError for `what` could not be done, and why */
  async request(what: string, method: number, attributes: AttributesFor): Promise<StunMessage> {
    for (let tries = 1; ; tries++) {
      const transactionId = newTransactionId();
      const request = await this.credentials.encodeRequest(
        method,
        transactionId,
        attributes(transactionId),
      );
      const { message } = await this.#exchange(what, request, transactionId);
      if (message.class === StunClass.Success) return message;
      const isAnotherTry = tries < MAX_TRIES && (await this.credentials.learn(message));
      if (isAnotherTry) continue;
      throw turnFailure(what, decodeErrorCode(attributeOf(message, StunAttribute.ErrorCode)));
    }
  }

  /** Sends an indication that carries a datagram; false when it was dropped. */
  indicate(method: number, attributes: AttributesFor): boolean {
    const transactionId = newTransactionId();
    const message = { class: StunClass.Indication, method, transactionId };
    return this.#sendDatagram(encodeStun({ ...message, attributes: attributes(transactionId) }));
  }

  /** Sends a datagram by a channel; false when it was dropped. */
  sendChannelData(channel: number, bytes: Uint8Array): boolean {
    return this.#sendDatagram(encodeChannelData(channel, bytes));
  }

  /** Ends the connection as if it had broken. */
  fail(cause: unknown): void {
    this.#lose(cause);
  }

  close(): void {
    this.#finish(new StreamError("cancelled", "The connection to the TURN server was closed"));
  }

  #sendDatagram(message: Uint8Array): boolean {
    const cost = message.length + OVERHEAD_BYTES;
    if (this.#end || this.#waitingBytes + cost > MAX_WAITING_BYTES) return false;
    this.#send(message);
    return true;
  }

  #send(message: Uint8Array): void {
    this.#waitingBytes += message.length + OVERHEAD_BYTES;
    this.#outbox.push(message);
    void this.#write();
  }

  /** Sends a request and waits for its response, which is checked. */
  async #exchange(what: string, request: Uint8Array, transactionId: Uint8Array): Promise<Response> {
    if (this.#end) throw this.#end;
    const key = transactionId.join();
    const answer = Promise.withResolvers<Response>();
    const cancelTimer: Cancel = this.#server.clock.after(REQUEST_TIMEOUT_MS, () => {
      answer.reject(silent(what));
    });
    this.#requests.set(key, (response) => {
      if (response instanceof StreamError) return answer.reject(response);
      // RFC 8489 section 9.2.5: a response that is not the server's is as if it had not come.
      const isError = response.message.class === StunClass.Error;
      const checking = this.credentials.isGenuine(response.bytes, response.message);
      void checking.then((isGenuine) => (isGenuine || isError) && answer.resolve(response));
    });
    this.#send(request);
    try {
      return await answer.promise;
    } finally {
      cancelTimer();
      this.#requests.delete(key);
    }
  }

  async #write(): Promise<void> {
    if (this.#isWriting) return;
    this.#isWriting = true;
    try {
      for (let next = this.#outbox.shift(); next; next = this.#outbox.shift()) {
        const cost = next.length + OVERHEAD_BYTES;
        await this.#channel.write(next);
        this.#waitingBytes -= cost;
      }
    } catch (cause) {
      this.#lose(cause);
    }
    this.#isWriting = false;
  }

  async #read(): Promise<void> {
    const deframer = new TurnDeframer();
    try {
      for (;;) {
        const chunk = await this.#channel.read();
        if (chunk === null) return this.#lose(broken("it closed the connection"));
        deframer.push(chunk);
        for (let frame = deframer.next(); frame; frame = deframer.next()) this.#take(frame);
      }
    } catch (cause) {
      this.#lose(cause);
    }
  }

  #take(frame: TurnFrame): void {
    if (this.#end) return;
    if (frame.kind === "channel") return this.#events.channelData(frame.channel, frame.bytes);
    const message = decodeStun(frame.bytes);
    if (!hasValidFingerprint(frame.bytes, message)) return;
    switch (message.class) {
      case StunClass.Indication:
        return this.#events.indication(message);
      case StunClass.Success:
      case StunClass.Error:
        return this.#requests.get(message.transactionId.join())?.({ message, bytes: frame.bytes });
      default:
      // A server makes no requests.
    }
  }

  #lose(cause: unknown): void {
    if (this.#end) return;
    const reason = cause instanceof StreamError ? cause : broken(cause);
    this.#finish(reason);
    this.#events.lost(reason);
  }

  #finish(reason: StreamError): void {
    if (this.#end) return;
    this.#end = reason;
    this.#outbox.length = 0;
    this.#channel.abort(reason);
    for (const settle of this.#requests.values()) settle(reason);
  }
}

/** The attributes of a message; addresses are written with its transaction id. */
export type AttributesFor = (transactionId: Uint8Array) => readonly Attribute[];

/** Connects to the server. @throws StreamError when it cannot be reached in time */
export function dialTurn(server: TurnServer, signal: AbortSignal): Promise<ByteChannel> {
  return withDeadline(server.clock, REQUEST_TIMEOUT_MS, signal, server.dial, (late) =>
    late.abort(new StreamError("cancelled", "The TURN server answered too late")),
  );
}

function newTransactionId(): Uint8Array {
  return crypto.getRandomValues(new Uint8Array(TRANSACTION_ID_LENGTH));
}

function broken(cause: unknown): StreamError {
  const why = typeof cause === "string" ? cause : "the connection broke";
  const text = `Cannot go on with the TURN server: ${why}`;
  return new StreamError("host-unreachable", text, { cause });
}

function silent(what: string): StreamError {
  const text = `Cannot ${what} at the TURN server: no answer within ${REQUEST_TIMEOUT_MS / 1000} s`;
  return new StreamError("timed-out", text);
}
