import type { ReceiveWindow } from "./credit.ts";
import { ProtocolError } from "./errors.ts";
import type { PayloadMemory } from "./payload-memory.ts";

/** As in RFC 9000 section 3.2: "ended" once FIN arrived, "reset" once the stream failed. */
type ReceiveState = "open" | "ended" | "reset";

interface Reader {
  readonly resolve: (chunk: Uint8Array | null) => void;
  readonly reject: (reason: unknown) => void;
}

/** Once this many chunks wait, payloads up to SMALL_BYTES are joined into chunks of JOINED_BYTES. */
const MANY_CHUNKS = 16;
const SMALL_BYTES = 512;
const JOINED_BYTES = 4096;

/** The receiving direction of a stream: bytes wait here, within the window, for one reader. */
export class ReceiveHalf {
  readonly #window: ReceiveWindow;
  readonly #inbox: Uint8Array[] = [];
  readonly #onConsumed: (bytes: number) => void;
  #state: ReceiveState = "open";
  #reader: Reader | undefined;
  readonly #memory: PayloadMemory;
  /** The chunk handed to the reader, which may still be writing it somewhere. */
  #lent: Uint8Array | undefined;
  /** The last chunk of the inbox, when it is one that small payloads are joined into. */
  #joined: Uint8Array = new Uint8Array();
  #joinedLength = 0;
  #failure: unknown;

  constructor(window: ReceiveWindow, memory: PayloadMemory, onConsumed: (bytes: number) => void) {
    this.#window = window;
    this.#memory = memory;
    this.#onConsumed = onConsumed;
  }

  get isDone(): boolean {
    return this.#state !== "open";
  }

  get isGrantDue(): boolean {
    return this.#state === "open" && this.#window.isGrantDue;
  }

  /** Bytes that wait here, or that the reader has and has not asked for more. */
  get unread(): number {
    return this.#window.held;
  }

  grant(): { received: number; limit: number } {
    return this.#window.grant();
  }

  /** The next chunk, or null after FIN. Asking for it gives back the memory of the one before. */
  read(): Promise<Uint8Array | null> {
    this.#settle();
    if (this.#state === "reset") return Promise.reject(this.#failure);
    const chunk = this.#inbox.shift();
    if (chunk) return Promise.resolve(this.#lend(chunk));
    if (this.#state === "ended") return Promise.resolve(null);
    return new Promise((resolve, reject) => {
      this.#reader = { resolve, reject };
    });
  }

  /** Takes the payload of a DATA frame; what has to wait is copied. */
  arrive(bytes: Uint8Array): void {
    if (this.#state === "ended") {
      throw new ProtocolError("ERR_DATA_AFTER_FIN", "Cannot take DATA: FIN came before");
    }
    this.#window.arrive(bytes.length);
    if (bytes.length === 0) return;
    // Also for a reader that waits: it goes on in a microtask, when the message has gone.
    if (this.#reader) this.#wake()?.resolve(this.#lend(this.#memory.keep(bytes)));
    else if (bytes.length <= SMALL_BYTES && this.#inbox.length >= MANY_CHUNKS) this.#join(bytes);
    else this.#inbox.push(this.#memory.keep(bytes));
  }

  /** Takes FIN. @throws ProtocolError when bytes are missing or FIN comes twice */
  end(finalOffset: number): void {
    if (this.#state === "ended")
      throw new ProtocolError("ERR_DATA_AFTER_FIN", "Cannot take FIN twice");
    if (finalOffset !== this.#window.received) {
      const { received } = this.#window;
      throw new ProtocolError(
        "ERR_FIN_OFFSET",
        `Cannot take FIN at ${finalOffset}: have ${received}`,
      );
    }
    this.#state = "ended";
    this.#wake()?.resolve(null);
  }

  fail(reason: unknown): void {
    if (this.#state === "reset") return;
    this.#state = "reset";
    this.#failure = reason;
    // Whoever has the lent chunk may still be writing it: its memory is not used again.
    this.#consumed(this.#lent?.length ?? 0);
    this.#lent = undefined;
    for (const chunk of this.#inbox.splice(0)) this.#consumed(chunk.length);
    this.#wake()?.reject(reason);
  }

  /** Adds a few bytes to the last chunk: a chunk each would cost many times what it holds. */
  #join(bytes: Uint8Array): void {
    const isLast = this.#inbox.at(-1)?.buffer === this.#joined.buffer;
    if (!isLast || this.#joinedLength + bytes.length > this.#joined.length) {
      this.#joined = new Uint8Array(JOINED_BYTES);
      this.#joinedLength = 0;
      this.#inbox.push(this.#joined);
    }
    this.#joined.set(bytes, this.#joinedLength);
    this.#joinedLength += bytes.length;
    this.#inbox[this.#inbox.length - 1] = this.#joined.subarray(0, this.#joinedLength);
  }

  #lend(chunk: Uint8Array): Uint8Array {
    this.#lent = chunk;
    return chunk;
  }

  #settle(): void {
    if (!this.#lent) return;
    this.#memory.giveBack(this.#lent);
    this.#consumed(this.#lent.length);
    this.#lent = undefined;
  }

  #consumed(bytes: number): void {
    if (bytes === 0) return;
    this.#window.consume(bytes);
    this.#onConsumed(bytes);
  }

  #wake(): Reader | undefined {
    const reader = this.#reader;
    this.#reader = undefined;
    return reader;
  }
}
