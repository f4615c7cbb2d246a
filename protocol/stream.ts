import type { Address } from "./address.ts";
import type { ByteChannel } from "./channel.ts";
import type { ReceiveWindow } from "./credit.ts";
import { type FailureReason, reasonOf, StreamError } from "./errors.ts";
import type { Frame } from "./frame.ts";
import type { PayloadMemory } from "./payload-memory.ts";
import { ReceiveHalf } from "./receive-half.ts";
import { Turn } from "./scheduler.ts";
import { SendHalf } from "./send-half.ts";
import { FrameType, MAX_DATAGRAM } from "./wire.ts";

/** What a stream asks of the carrier that it is on; it may be moved to another. */
export interface StreamPort {
  /** Queues a frame that needs no credit. */
  control(frame: Frame): void;
  /** The stream has bytes and credit. */
  ready(stream: Stream): void;
  /** The stream owes the peer a CREDIT. */
  grantDue(stream: Stream): void;
  /** Sends a datagram of the stream; false when too many wait and it is dropped. */
  datagram(frame: DatagramFrame): boolean;
  /** Bytes of the stream have left our memory. */
  consumed(bytes: number): void;
  /** Nothing more will be sent or received. */
  streamClosed(stream: Stream): void;
}

export type DatagramFrame = Extract<Frame, { type: typeof FrameType.Datagram }>;

/** Takes a datagram that arrived; `bytes` is valid until it returns. */
export type DatagramHandler = (address: Address, bytes: Uint8Array) => void;

export interface StreamOptions {
  readonly id: number;
  readonly port: StreamPort;
  /** Bytes we may send before the first CREDIT. */
  readonly sendCredit: number;
  /** How far the peer may send. */
  readonly window: ReceiveWindow;
  /** Where what has arrived waits. */
  readonly memory: PayloadMemory;
}

/** BIND answers twice: listening, then connected (RFC 1928 section 4). */
const MAX_ANSWERS = 2;

/**
 * One stream of a session: two halves that end on their own, and the answer to its OPEN.
 * Frames come in by the methods named after them and leave through the port.
 */
export class Stream implements ByteChannel {
  readonly id: number;
  readonly turn: Turn = new Turn();
  #port: StreamPort;
  readonly #sending: SendHalf;
  readonly #receiving: ReceiveHalf;
  readonly #answers: Address[] = [];
  #asker: PromiseWithResolvers<Address> | undefined;
  #answerCount = 0;
  #failure: unknown;
  #isClosed = false;
  #onFailed: ((reason: unknown) => void) | undefined;
  #onDatagram: DatagramHandler | undefined;

  constructor({ id, port, sendCredit, window, memory }: StreamOptions) {
    this.id = id;
    this.#port = port;
    this.#sending = new SendHalf(sendCredit);
    this.#receiving = new ReceiveHalf(window, memory, (bytes) => this.#port.consumed(bytes));
  }

  read(): Promise<Uint8Array | null> {
    const chunk = this.#receiving.read();
    if (this.#receiving.isGrantDue) this.#port.grantDue(this);
    return chunk;
  }

  write(chunk: Uint8Array): Promise<void> {
    const taken = this.#sending.write(chunk);
    if (this.#sending.sendable > 0) this.#port.ready(this);
    return taken;
  }

  async end(): Promise<void> {
    // FIN states how many bytes there were: those of a write that still waits come before it.
    await this.#sending.settled();
    if (!this.#sending.end()) return;
    this.#port.control({
      type: FrameType.Fin,
      streamId: this.id,
      finalOffset: this.#sending.offset,
    });
    this.#closeIfDone();
  }

  abort(reason: unknown): void {
    if (!this.#isClosed) {
      const word = reasonOf(reason, "connection-reset");
      this.#port.control({ type: FrameType.Reset, streamId: this.id, reason: word });
    }
    this.fail(reason);
  }

  /** The next OPENED of this stream. @throws StreamError with the reason of FAILED or RESET */
  answer(): Promise<Address> {
    const bound = this.#answers.shift();
    if (bound) return Promise.resolve(bound);
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    if (this.#isClosed) return Promise.reject(unanswered());
    this.#asker = Promise.withResolvers();
    return this.#asker.promise;
  }

  /** Answers the peer's OPEN: the target is reached, or (BIND) a socket listens at `bound`. */
  confirm(bound: Address): void {
    if (this.#isClosed) return;
    this.#port.control({ type: FrameType.Opened, streamId: this.id, bound });
  }

  /** Answers the peer's OPEN, or what BIND still waits for, with a failure that ends the stream. */
  refuse(reason: FailureReason, text: string): void {
    const error = new StreamError(reason, text);
    if (this.#isClosed) return;
    this.#port.control({ type: FrameType.Failed, streamId: this.id, reason, text });
    this.fail(error);
  }

  onceFailed(callback: (reason: unknown) => void): void {
    if (this.#failure === undefined) this.#onFailed = callback;
    else callback(this.#failure);
  }

  /** Takes the datagrams of this association from now on; those before were dropped. */
  onDatagram(handler: DatagramHandler): void {
    this.#onDatagram = handler;
  }

  /**
   * Sends a datagram of this association: to `address` on the agent's side, from it on the edge's.
   * False when it is dropped.
   */
  sendDatagram(address: Address, bytes: Uint8Array): boolean {
    // IPv6 carries a few bytes more than MAX_DATAGRAM, which the peer would take for a violation.
    if (this.#isClosed || bytes.length > MAX_DATAGRAM) return false;
    return this.#port.datagram({ type: FrameType.Datagram, streamId: this.id, address, bytes });
  }

  /** Moves the stream to another carrier, as its own is lost. */
  lean(port: StreamPort): void {
    this.#port = port;
    this.turn.isQueued = false;
    if (this.#sending.sendable > 0) port.ready(this);
    if (this.#receiving.isGrantDue) port.grantDue(this);
  }

  /** Bytes that arrived and wait for a reader, or are with one. */
  get unread(): number {
    return this.#receiving.unread;
  }

  /** Bytes that were written and wait to be sent. */
  get unsent(): number {
    return this.#sending.pending;
  }

  /** Bytes that could go into a DATA frame now. */
  get sendable(): number {
    return this.#sending.sendable;
  }

  /** The bytes of a DATA frame, at most `sendable`; the caller copies them before it returns. */
  take(bytes: number): Uint8Array {
    return this.#sending.take(bytes);
  }

  countEarly(bytes: number): void {
    this.#sending.countEarly(bytes);
  }

  /** The fields of the CREDIT this stream owes; undefined when it owes none. */
  grant(): { received: number; limit: number } | undefined {
    return this.#receiving.isGrantDue ? this.#receiving.grant() : undefined;
  }

  handleOpened(bound: Address): void {
    if (++this.#answerCount > MAX_ANSWERS) return;
    if (this.#asker) this.#asker.resolve(bound);
    else this.#answers.push(bound);
    this.#asker = undefined;
  }

  handleFailed(reason: FailureReason, text: string): void {
    this.fail(new StreamError(reason, text === "" ? "The edge could not open the stream" : text));
  }

  handleData(bytes: Uint8Array): void {
    this.#receiving.arrive(bytes);
  }

  /** Unreliable by contract: without a handler, a datagram is dropped. */
  handleDatagram(address: Address, bytes: Uint8Array): void {
    this.#onDatagram?.(address, bytes);
  }

  handleFin(finalOffset: number): void {
    this.#receiving.end(finalOffset);
    this.#closeIfDone();
  }

  handleReset(reason: FailureReason): void {
    this.fail(new StreamError(reason, `The other side reset the stream (${reason})`));
  }

  handleCredit(limit: number): void {
    this.#sending.raise(limit);
    if (this.#sending.sendable > 0) this.#port.ready(this);
  }

  /** Ends both halves without a frame: the peer knows, or is gone. */
  fail(reason: unknown = new StreamError("general", "The stream was ended")): void {
    if (this.#failure !== undefined) return;
    this.#failure = reason;
    this.#sending.fail(reason);
    // On a closed stream too: bytes that nobody has read still hold credit of the session.
    this.#receiving.fail(reason);
    this.#asker?.reject(reason);
    this.#asker = undefined;
    this.#close();
    this.#onFailed?.(reason);
  }

  #closeIfDone(): void {
    if (this.#sending.isDone && this.#receiving.isDone) this.#close();
  }

  #close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#asker?.reject(unanswered());
    this.#asker = undefined;
    this.#port.streamClosed(this);
  }
}

function unanswered(): StreamError {
  return new StreamError("general", "The edge ended the stream without an answer");
}
