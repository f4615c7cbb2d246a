import type { ByteChannel } from "../../protocol/channel.ts";

/** Where a reader puts what it gets: null after the end, the error after a failure. */
export interface Gathered {
  readonly got: number[];
  end: unknown;
}

/** A reader that takes a chunk for each permit. */
export class GatedReader {
  readonly #channel: ByteChannel;
  readonly #gathered: Gathered;
  #permits = 0;
  #wake: (() => void) | undefined;

  constructor(channel: ByteChannel, gathered: Gathered) {
    this.#channel = channel;
    this.#gathered = gathered;
    this.#run().catch((error: unknown) => (gathered.end = error));
  }

  permit(reads: number): void {
    this.#permits += reads;
    this.#wake?.();
  }

  async #run(): Promise<void> {
    for (;;) {
      while (this.#permits === 0) await new Promise<void>((resolve) => (this.#wake = resolve));
      this.#permits--;
      const chunk = await this.#channel.read();
      if (!chunk) break;
      this.#gathered.got.push(...chunk);
    }
    this.#gathered.end = null;
  }
}
