import type { ByteChannel } from "../../protocol/channel.ts";
import type { Account } from "./account.ts";

/**
 * A target's channel that passes bytes as its user's account allows. What is read waits here, one
 * chunk, so the target is held back by its own TCP window, and the agent by the stream's credit.
 */
export class MeteredChannel implements ByteChannel {
  readonly #inner: ByteChannel;
  readonly #account: Pick<Account, "pass">;
  /** Nobody waits for the turn of bytes that go nowhere any more. */
  readonly #ending = new AbortController();

  constructor(inner: ByteChannel, account: Pick<Account, "pass">) {
    this.#inner = inner;
    this.#account = account;
  }

  async read(): Promise<Uint8Array | null> {
    const chunk = await this.#inner.read();
    if (chunk) await this.#account.pass("down", chunk.length, this.#ending.signal);
    return chunk;
  }

  async write(chunk: Uint8Array): Promise<void> {
    await this.#account.pass("up", chunk.length, this.#ending.signal);
    await this.#inner.write(chunk);
  }

  end(): Promise<void> {
    return this.#inner.end();
  }

  abort(reason: unknown): void {
    this.#ending.abort();
    this.#inner.abort(reason);
  }

  onceFailed(callback: (reason: unknown) => void): void {
    this.#inner.onceFailed((reason) => {
      this.#ending.abort();
      callback(reason);
    });
  }
}
