import type { ByteChannel } from "../../../protocol/channel.ts";
import type { Cancel, Clock } from "../../../protocol/clock.ts";
import { ProtocolError, StreamError } from "../../../protocol/errors.ts";
import { decodeDnsHead, type DnsHead } from "./dns-message.ts";
import { DnsDeframer, frameMessage } from "./dns-framing.ts";
import { isAbout, withId } from "./doh-client.ts";

/** Queries of one connection that have no answer yet. */
const MAX_IN_FLIGHT = 256;
/** How long a query may wait, the dial included. Stub resolvers ask again after about as long. */
const QUERY_TIMEOUT_MS = 5000;
/** RFC 7766 section 6.2.3: how long a connection is kept for the next query. */
const IDLE_TIMEOUT_MS = 10_000;

interface Waiting {
  readonly query: Uint8Array;
  readonly head: DnsHead;
  readonly answer: PromiseWithResolvers<Uint8Array>;
  readonly cancelTimer: Cancel;
}

/**
 * One connection to a DNS resolver (RFC 7766): several queries in flight, each under an id of this
 * connection's own, so that clients with the same id do not meet.
 */
export class TcpResolver {
  readonly #clock: Clock;
  readonly #waiting = new Map<number, Waiting>();
  readonly #deframer = new DnsDeframer();
  #channel: ByteChannel | undefined;
  #outbox: Uint8Array[] = [];
  #isWriting = false;
  #lastId = 0;
  #cancelIdle: Cancel = () => {};
  #failure: StreamError | undefined;
  #onClosed: () => void = () => {};

  constructor(clock: Clock, dialling: Promise<ByteChannel>) {
    this.#clock = clock;
    dialling.then(
      (channel) => this.#begin(channel),
      (error: unknown) => this.#fail(error),
    );
  }

  get inFlight(): number {
    return this.#waiting.size;
  }

  /** Calls back once when the connection takes no more queries. */
  onceClosed(callback: () => void): void {
    if (this.#failure) callback();
    else this.#onClosed = callback;
  }

  /** The response to a query, under the id of the query. @throws StreamError */
  ask(query: Uint8Array): Promise<Uint8Array> {
    if (this.#failure) return Promise.reject(this.#failure);
    if (this.#waiting.size >= MAX_IN_FLIGHT) return Promise.reject(failed("too many wait"));
    const head = decodeDnsHead(query);
    const id = this.#takeId();
    this.#cancelIdle();
    const answer = Promise.withResolvers<Uint8Array>();
    const cancelTimer = this.#clock.after(QUERY_TIMEOUT_MS, () => {
      const text = `Cannot ask the resolver: no answer within ${QUERY_TIMEOUT_MS / 1000} s`;
      this.#settle(id)?.answer.reject(new StreamError("timed-out", text));
    });
    const message = withId(query, id);
    this.#waiting.set(id, { query: message, head, answer, cancelTimer });
    this.#outbox.push(frameMessage(message));
    void this.#write();
    return answer.promise;
  }

  /** Ends the connection: what waits for an answer gets none. */
  close(): void {
    this.#fail(failed("the connection was closed"));
  }

  #takeId(): number {
    do this.#lastId = (this.#lastId + 1) & 0xffff;
    while (this.#waiting.has(this.#lastId));
    return this.#lastId;
  }

  #begin(channel: ByteChannel): void {
    if (this.#failure) return channel.abort(this.#failure);
    this.#channel = channel;
    channel.onceFailed((reason) => this.#fail(reason));
    void this.#write();
    void this.#read(channel);
    if (this.#waiting.size === 0) this.#idle();
  }

  async #write(): Promise<void> {
    const channel = this.#channel;
    if (this.#isWriting || !channel) return;
    this.#isWriting = true;
    try {
      for (let next = this.#outbox.shift(); next; next = this.#outbox.shift()) {
        await channel.write(next);
      }
    } catch (error) {
      this.#fail(error);
    }
    this.#isWriting = false;
  }

  async #read(channel: ByteChannel): Promise<void> {
    try {
      for (let chunk = await channel.read(); chunk !== null; chunk = await channel.read()) {
        for (const message of this.#deframer.push(chunk)) this.#take(message);
      }
      this.#fail(failed("the resolver closed the connection"));
    } catch (error) {
      this.#fail(error);
    }
  }

  /** An answer is told by its id and its question; anything else is nobody's. */
  #take(message: Uint8Array): void {
    const head = headOf(message);
    const waiting = head && this.#waiting.get(head.id);
    if (!waiting || !isAbout(head, waiting.head.question)) return;
    this.#settle(head.id)?.answer.resolve(withId(message, waiting.head.id));
  }

  #settle(id: number): Waiting | undefined {
    const waiting = this.#waiting.get(id);
    waiting?.cancelTimer();
    this.#waiting.delete(id);
    if (waiting && this.#waiting.size === 0) this.#idle();
    return waiting;
  }

  #idle(): void {
    this.#cancelIdle();
    this.#cancelIdle = this.#clock.after(IDLE_TIMEOUT_MS, () => this.close());
  }

  #fail(cause: unknown): void {
    if (this.#failure) return;
    this.#failure = cause instanceof StreamError ? cause : failed("the connection broke", cause);
    this.#channel?.abort(this.#failure);
    this.#outbox = [];
    for (const [id] of this.#waiting) this.#settle(id)?.answer.reject(this.#failure);
    this.#cancelIdle();
    this.#onClosed();
  }
}

function headOf(message: Uint8Array): DnsHead | undefined {
  try {
    return decodeDnsHead(message);
  } catch (error) {
    if (error instanceof ProtocolError) return undefined;
    throw error;
  }
}

function failed(why: string, cause?: unknown): StreamError {
  return new StreamError("host-unreachable", `Cannot ask the resolver: ${why}`, { cause });
}
