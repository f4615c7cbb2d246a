import type { Cancel, Clock } from "../../protocol/clock.ts";
import { messageOf } from "../../protocol/errors.ts";
import type { Log } from "../../protocol/log.ts";
import type { TlsPair } from "./tls-files.ts";

export interface TlsWatchOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** The pair as it stands in its files now. @throws when it cannot be used */
  readonly load: () => Promise<TlsPair>;
  /** Takes a new pair into use. */
  readonly apply: (pair: TlsPair) => void;
}

/** How soon a renewed certificate is noticed. */
const POLL_MS = 10_000;

/**
 * Follows the files of a certificate. They are read again and again, and compared by what they hold: a renewal may
 * turn a symbolic link, or one of the folder (certbot, Kubernetes), of which fs.watch() hears nothing.
 */
export class TlsWatch {
  readonly #options: TlsWatchOptions;
  #current: TlsPair;
  /** The problem that was last told of, so that it is told of once. */
  #problem: string | undefined;
  #running: Promise<void> | undefined;
  #cancel: Cancel = () => {};
  #isStopped = false;

  constructor(current: TlsPair, options: TlsWatchOptions) {
    this.#options = options;
    this.#current = current;
    this.#schedule();
  }

  /** The pair in use. */
  get current(): TlsPair {
    return this.#current;
  }

  /** Looks now. Never rejects: a pair that cannot be used leaves the old one in use. */
  check(): Promise<void> {
    this.#running ??= this.#check().finally(() => (this.#running = undefined));
    return this.#running;
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancel();
  }

  async #check(): Promise<void> {
    const { log, load, apply } = this.#options;
    try {
      const pair = await load();
      if (this.#isStopped) return;
      this.#problem = undefined;
      if (pair.cert === this.#current.cert && pair.key === this.#current.key) return;
      apply(pair);
      this.#current = pair;
      log.info("The certificate was renewed", { until: new Date(pair.expiresAt).toISOString() });
    } catch (error) {
      const problem = messageOf(error);
      if (problem !== this.#problem) log.warn(`${problem}. The old certificate stays in use`);
      this.#problem = problem;
    }
  }

  #schedule(): void {
    this.#cancel = this.#options.clock.after(POLL_MS, () => {
      void this.check().then(() => {
        if (!this.#isStopped) this.#schedule();
      });
    });
  }
}
