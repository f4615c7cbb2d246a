/** Keeps the slot of a dial beyond its end, until `until` has settled. */
export type Hold = (until: Promise<unknown>) => void;

/** So many slots that some of them can be kept. */
const MANY = 16;

/** One dial that waits for its turn. */
interface Ticket {
  readonly start: () => void;
}

/**
 * Bounds the dials that are under way. The rest wait in one line per caller (a session): a free
 * slot goes to the caller with the fewest dials under way, and of equals to the one that was served
 * longest ago. A dial whose signal aborts while it waits leaves the line; one that is under way
 * holds its slot until it has settled, as not every platform can end a dial.
 */
export class DialQueue {
  readonly #maxPending: number;
  /** Slots that are kept for callers without a dial under way. */
  readonly #reserved: number;
  /** In the order of their last turn. */
  readonly #lines = new Map<object, Set<Ticket>>();
  readonly #pending = new Map<object, number>();
  #pendingCount = 0;

  /** A quarter of many slots is kept for those who have none: of few, each is needed. */
  constructor(maxPending: number) {
    this.#maxPending = maxPending;
    this.#reserved = maxPending < MANY ? 0 : Math.floor(maxPending / 4);
  }

  /** Dials under way. */
  get pendingCount(): number {
    return this.#pendingCount;
  }

  /** Dials that wait. */
  get waitingCount(): number {
    let count = 0;
    for (const line of this.#lines.values()) count += line.size;
    return count;
  }

  /** Runs `dial` when it is its turn. @throws the reason of `signal`, when that aborts before */
  async run<Result>(
    caller: object,
    signal: AbortSignal,
    dial: (hold: Hold) => Promise<Result>,
  ): Promise<Result> {
    signal.throwIfAborted();
    if (this.#mayStart(caller)) this.#count(caller, 1);
    else await this.#turn(caller, signal);
    let held: Promise<unknown> | undefined;
    try {
      // While the turn was on its way, say.
      signal.throwIfAborted();
      return await dial((until) => {
        held = Promise.allSettled([held, until]);
      });
    } finally {
      if (held) void held.then(() => this.#release(caller));
      else this.#release(caller);
    }
  }

  #mayStart(caller: object): boolean {
    const free = this.#maxPending - this.#pendingCount;
    return free > (this.#pending.has(caller) ? this.#reserved : 0);
  }

  /** Waits in the line of `caller`; the slot has been counted when it resolves. */
  #turn(caller: object, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        this.#remove(caller, ticket);
        reject(signal.reason);
      };
      const ticket: Ticket = {
        start: () => {
          signal.removeEventListener("abort", leave);
          resolve();
        },
      };
      const line = this.#lines.get(caller) ?? new Set();
      this.#lines.set(caller, line.add(ticket));
      signal.addEventListener("abort", leave, { once: true });
    });
  }

  #release(caller: object): void {
    this.#count(caller, -1);
    for (let next = this.#nextCaller(); next; next = this.#nextCaller()) this.#startOne(next);
  }

  /** Who is to have the free slot; undefined when nobody waits that may have it. */
  #nextCaller(): object | undefined {
    let chosen: object | undefined;
    for (const caller of this.#lines.keys()) {
      if (!this.#mayStart(caller)) continue;
      if (chosen === undefined || this.#countOf(caller) < this.#countOf(chosen)) chosen = caller;
    }
    return chosen;
  }

  #startOne(caller: object): void {
    const line = this.#lines.get(caller);
    const [ticket] = line ?? [];
    if (!line || !ticket) return;
    this.#remove(caller, ticket);
    // To the end: the others come first.
    if (line.size > 0 && this.#lines.delete(caller)) this.#lines.set(caller, line);
    this.#count(caller, 1);
    ticket.start();
  }

  #remove(caller: object, ticket: Ticket): void {
    const line = this.#lines.get(caller);
    line?.delete(ticket);
    if (line?.size === 0) this.#lines.delete(caller);
  }

  #countOf(caller: object): number {
    return this.#pending.get(caller) ?? 0;
  }

  #count(caller: object, change: 1 | -1): void {
    this.#pendingCount += change;
    const count = this.#countOf(caller) + change;
    if (count === 0) this.#pending.delete(caller);
    else this.#pending.set(caller, count);
  }
}
