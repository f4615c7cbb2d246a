import type { ByteChannel } from "../../protocol/channel.ts";
import { messageOf, StreamError } from "../../protocol/errors.ts";

/** A TCP connection without a network: the test sits at its far end. */
export class FakeChannel implements ByteChannel {
  readonly localHost = "127.0.0.1";
  readonly remoteHost = "127.0.0.1";
  readonly #inbox: Uint8Array[] = [];
  readonly #written: Uint8Array[] = [];
  #lent: Uint8Array | undefined;
  #hasFarEnded = false;
  #failure: unknown;
  #onFailed: ((reason: unknown) => void) | undefined;
  #reader: PromiseWithResolvers<Uint8Array | null> | undefined;
  /** Whether this end has half-closed. */
  hasEnded = false;
  /** Why this end was aborted; undefined as long as it was not. */
  abortReason: unknown;

  /** `chunks` have arrived already. */
  constructor(...chunks: readonly Uint8Array[]) {
    this.arrive(...chunks);
  }

  async read(): Promise<Uint8Array | null> {
    // The memory of a chunk is the channel's again: whoever kept a view of it now sees rubbish.
    this.#lent?.fill(0xee);
    this.#lent = this.#inbox.shift();
    if (this.#lent) return this.#lent;
    if (this.#hasFarEnded) return null;
    if (this.#failure !== undefined) throw this.#failure;
    this.#reader = Promise.withResolvers();
    return this.#reader.promise;
  }

  async write(chunk: Uint8Array): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    this.#written.push(chunk.slice());
  }

  async end(): Promise<void> {
    this.hasEnded = true;
  }

  abort(reason: unknown): void {
    this.abortReason ??= reason;
    this.#fail(reason);
  }

  onceFailed(callback: (reason: unknown) => void): void {
    if (this.#failure === undefined) this.#onFailed = callback;
    else callback(this.#failure);
  }

  /** All that was written to the far end. */
  get written(): Uint8Array {
    return Uint8Array.from(this.#written.flatMap((chunk) => [...chunk]));
  }

  /** The far end sends. */
  arrive(...chunks: readonly Uint8Array[]): void {
    for (const chunk of chunks) {
      const copy = chunk.slice();
      if (!this.#wake((reader) => reader.resolve((this.#lent = copy)))) this.#inbox.push(copy);
    }
  }

  /** The far end half-closes. */
  farEnd(): void {
    this.#hasFarEnded = true;
    this.#wake((reader) => reader.resolve(null));
  }

  /** The far end resets the connection. */
  breakOff(cause: unknown = new Error("ECONNRESET")): void {
    const text = `The connection broke: ${messageOf(cause)}`;
    this.#fail(new StreamError("connection-reset", text, { cause }));
  }

  #fail(reason: unknown): void {
    if (this.#failure !== undefined) return;
    this.#failure = reason;
    this.#inbox.length = 0;
    this.#wake((reader) => reader.reject(reason));
    this.#onFailed?.(reason);
  }

  #wake(settle: (reader: PromiseWithResolvers<Uint8Array | null>) => void): boolean {
    const reader = this.#reader;
    this.#reader = undefined;
    if (reader) settle(reader);
    return reader !== undefined;
  }
}
