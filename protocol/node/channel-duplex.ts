import { Duplex } from "node:stream";
import type { ByteChannel, RelayTotals } from "../channel.ts";
import { StreamError } from "../errors.ts";

/** A ByteChannel as a stream of Node, for what can only speak over those. It owns the channel. */
export class ChannelDuplex extends Duplex {
  readonly #channel: ByteChannel;
  readonly #totals: RelayTotals;

  /** `totals` counts what is written here as left to right. */
  constructor(channel: ByteChannel, totals: RelayTotals = { leftToRight: 0, rightToLeft: 0 }) {
    super();
    this.#channel = channel;
    this.#totals = totals;
    channel.onceFailed((reason) => this.destroy(errorOf(reason)));
  }

  override _read(): void {
    this.#channel.read().then(
      (chunk) => {
        this.#totals.rightToLeft += chunk?.length ?? 0;
        // Copied: a stream of Node reads ahead, and the next read() may overwrite the chunk.
        this.push(chunk && Buffer.from(chunk));
      },
      (reason: unknown) => this.destroy(errorOf(reason)),
    );
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error) => void): void {
    this.#totals.leftToRight += chunk.length;
    const bytes = new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    this.#settle(this.#channel.write(bytes), done);
  }

  override _final(done: (error?: Error) => void): void {
    this.#settle(this.#channel.end(), done);
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    // After both directions have ended this tells nobody anything.
    this.#channel.abort(error ?? new StreamError("cancelled", "The stream is not wanted any more"));
    done(error);
  }

  #settle(work: Promise<void>, done: (error?: Error) => void): void {
    work.then(
      () => done(),
      (reason: unknown) => done(errorOf(reason)),
    );
  }
}

function errorOf(reason: unknown): Error {
  return reason instanceof Error ? reason : new StreamError("general", String(reason));
}
