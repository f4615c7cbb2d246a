import { SendWindow } from "./credit.ts";
import { EdgesocksError } from "./errors.ts";

/** As in RFC 9000 section 3.1: "ended" once FIN was queued, "reset" once the stream failed. */
type SendState = "open" | "ended" | "reset";

interface Pending {
  rest: Uint8Array;
  readonly taken: PromiseWithResolvers<void>;
}

/** The sending direction of a stream: one chunk at a time waits here for credit and a turn. */
export class SendHalf {
  readonly #window: SendWindow;
  #state: SendState = "open";
  #pending: Pending | undefined;
  #failure: unknown;

  constructor(initialCredit: number) {
    this.#window = new SendWindow(initialCredit);
  }

  get isDone(): boolean {
    return this.#state !== "open";
  }

  /** Bytes put into frames so far. */
  get offset(): number {
    return this.#window.offset;
  }

  /** Bytes that wait to be put into frames. */
  get pending(): number {
    return this.#pending?.rest.length ?? 0;
  }

  /** Bytes that could go into a frame now. */
  get sendable(): number {
    return this.#pending ? Math.min(this.#pending.rest.length, this.#window.available) : 0;
  }

  /** Resolves when the whole chunk has been copied into messages. One write at a time. */
  write(chunk: Uint8Array): Promise<void> {
    if (this.#state === "reset") return Promise.reject(this.#failure);
    if (this.#state === "ended" || this.#pending) {
      const what = this.#pending ? "another write is pending" : "the stream was ended";
      return Promise.reject(new EdgesocksError("ERR_WRITE_AFTER_END", `Cannot write: ${what}`));
    }
    if (chunk.length === 0) return Promise.resolve();
    const taken = Promise.withResolvers<void>();
    this.#pending = { rest: chunk, taken };
    return taken.promise;
  }

  /** Resolves once no write is pending; rejects as that write does. */
  settled(): Promise<void> {
    return this.#pending?.taken.promise ?? Promise.resolve();
  }

  /** The next bytes for a DATA frame, at most `sendable`; the caller copies them before it returns. */
  take(bytes: number): Uint8Array {
    const pending = this.#pending;
    if (!pending) return new Uint8Array();
    const taken = pending.rest.subarray(0, bytes);
    pending.rest = pending.rest.subarray(bytes);
    this.#window.advance(bytes);
    if (pending.rest.length === 0) {
      this.#pending = undefined;
      // The writer goes on in a microtask, hence after the caller has copied `taken`.
      pending.taken.resolve();
    }
    return taken;
  }

  /** Bytes that left inside OPEN; they count like DATA (PROTOCOL.md section 4.7). */
  countEarly(bytes: number): void {
    this.#window.advance(bytes);
  }

  raise(limit: number): void {
    this.#window.raise(limit);
  }

  /** Returns whether FIN is to be sent now, which is once and only on an open half. */
  end(): boolean {
    if (this.#state !== "open") return false;
    this.#state = "ended";
    return true;
  }

  fail(reason: unknown): void {
    if (this.#state === "reset") return;
    this.#state = "reset";
    this.#failure = reason;
    this.#pending?.taken.reject(reason);
    this.#pending = undefined;
  }
}
