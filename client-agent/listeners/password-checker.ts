import type { PasswordHash } from "./password-hash.ts";

/** "busy": nobody looked, as too many passwords wait to be looked at. */
export type Verdict = "right" | "wrong" | "busy";

/** What the platform's cryptography does for passwords. */
export interface PasswordCrypto {
  /** scrypt (RFC 7914) of a password, by the parameters and to the length of `hash`. */
  readonly derive: (password: Uint8Array, hash: PasswordHash) => Promise<Uint8Array>;
  /** Compares in a time that depends on the lengths alone. */
  readonly isEqual: (left: Uint8Array, right: Uint8Array) => boolean;
  /** A MAC of both, under a key that nobody outside this process has. */
  readonly fingerprint: (name: string, password: Uint8Array) => string;
}

/** A password that somebody gave, and what it is compared with. */
export interface Claim {
  readonly name: string;
  readonly password: Uint8Array;
  readonly hash: PasswordHash;
  /** False for a name that is unknown: the hash is another's, and no password is right. */
  readonly isKnown: boolean;
}

/** Each takes the memory of its hash and a thread of the platform's pool. */
const MAX_RUNNING = 2;
/** Claims that may wait for their run. */
const MAX_WAITING = 128;
/** Claims that were right and are remembered, as fingerprints. */
const MAX_REMEMBERED = 1024;

interface Run {
  readonly claim: Claim;
  readonly outcome: PromiseWithResolvers<Verdict>;
  /** Clients that wait for it. */
  waiting: number;
  isRunning: boolean;
}

/**
 * Compares passwords with their hashes, which is made to be slow. What was right is remembered, and
 * equal claims share one run, so that a browser's hundred connections pay once. A flood of others
 * takes two threads and no more memory than that of its line.
 */
export class PasswordChecker {
  readonly #crypto: PasswordCrypto;
  /** Fingerprints, the one that was used longest ago first. */
  readonly #remembered = new Set<string>();
  /** By fingerprint, in the order they came: those that run, and those that wait for that. */
  readonly #runs = new Map<string, Run>();
  #running = 0;

  constructor(crypto: PasswordCrypto) {
    this.#crypto = crypto;
  }

  /** Rejects with the signal's reason once that has aborted: then nobody wants to know any more. */
  async check(claim: Claim, signal: AbortSignal): Promise<Verdict> {
    signal.throwIfAborted();
    const fingerprint = this.#crypto.fingerprint(claim.name, claim.password);
    if (this.#remembered.has(fingerprint)) {
      this.#remember(fingerprint);
      return "right";
    }
    const run = this.#runs.get(fingerprint) ?? this.#begin(fingerprint, claim);
    return run ? this.#await(fingerprint, run, signal) : "busy";
  }

  #begin(fingerprint: string, claim: Claim): Run | undefined {
    if (this.#runs.size >= MAX_RUNNING + MAX_WAITING) return undefined;
    const outcome = Promise.withResolvers<Verdict>();
    // Copied: the memory is the reader's. And if everybody leaves, a failure is nobody's.
    const run: Run = {
      claim: { ...claim, password: claim.password.slice() },
      outcome,
      waiting: 0,
      isRunning: false,
    };
    outcome.promise.catch(() => {});
    this.#runs.set(fingerprint, run);
    this.#runNext();
    return run;
  }

  async #await(fingerprint: string, run: Run, signal: AbortSignal): Promise<Verdict> {
    const gone = Promise.withResolvers<never>();
    const leave = (): void => gone.reject(signal.reason);
    signal.addEventListener("abort", leave);
    run.waiting++;
    try {
      return await Promise.race([run.outcome.promise, gone.promise]);
    } finally {
      signal.removeEventListener("abort", leave);
      run.waiting--;
      if (run.waiting === 0 && !run.isRunning) this.#runs.delete(fingerprint);
    }
  }

  #runNext(): void {
    for (const [fingerprint, run] of this.#runs) {
      if (this.#running === MAX_RUNNING) return;
      if (!run.isRunning) void this.#run(fingerprint, run);
    }
  }

  async #run(fingerprint: string, run: Run): Promise<void> {
    const { password, hash, isKnown } = run.claim;
    run.isRunning = true;
    this.#running++;
    try {
      const derived = await this.#crypto.derive(password, hash);
      const isRight = this.#crypto.isEqual(derived, hash.hash) && isKnown;
      if (isRight) this.#remember(fingerprint);
      run.outcome.resolve(isRight ? "right" : "wrong");
    } catch (error) {
      run.outcome.reject(error);
    } finally {
      this.#running--;
      this.#runs.delete(fingerprint);
      this.#runNext();
    }
  }

  #remember(fingerprint: string): void {
    // Deleted first, so that the set is in the order of last use.
    this.#remembered.delete(fingerprint);
    this.#remembered.add(fingerprint);
    const [oldest] = this.#remembered;
    if (this.#remembered.size > MAX_REMEMBERED && oldest !== undefined) {
      this.#remembered.delete(oldest);
    }
  }
}
