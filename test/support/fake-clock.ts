import type { Cancel, Clock } from "../../protocol/clock.ts";

interface Timer {
  readonly at: number;
  readonly callback: () => void;
}

/** A clock that stands still until the test moves it. Deferred work runs in run() and advance(). */
export class FakeClock implements Clock {
  #now = 0;
  #deferred: (() => void)[] = [];
  readonly #timers = new Set<Timer>();

  /** How far the machine has slept: time that only the wall has seen. */
  sleptMs = 0;

  now(): number {
    return this.#now;
  }

  wall(): number {
    return 1_700_000_000_000 + this.#now + this.sleptMs;
  }

  after(milliseconds: number, callback: () => void): Cancel {
    const timer = { at: this.#now + milliseconds, callback };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  defer(callback: () => void): void {
    this.#deferred.push(callback);
  }

  /** Timers that are set and have not fired: what a stopped thing must leave at 0. */
  get timerCount(): number {
    return this.#timers.size;
  }

  /** Runs deferred work, and the promises it settles, until nothing is left. */
  async run(): Promise<void> {
    for (let idle = 0; idle < 3;) {
      const due = this.#deferred;
      this.#deferred = [];
      for (const callback of due) callback();
      // A macrotask: lets every promise that is settled run all its reactions.
      await new Promise((resolve) => setImmediate(resolve));
      idle = due.length === 0 && this.#deferred.length === 0 ? idle + 1 : 0;
    }
  }

  /** Moves time on, firing timers in order, and runs what they caused. */
  async advance(milliseconds: number): Promise<void> {
    const end = this.#now + milliseconds;
    await this.run();
    for (let next = this.#nextDue(end); next; next = this.#nextDue(end)) {
      this.#timers.delete(next);
      this.#now = Math.max(this.#now, next.at);
      next.callback();
      await this.run();
    }
    this.#now = end;
  }

  #nextDue(end: number): Timer | undefined {
    const due = [...this.#timers].filter(({ at }) => at <= end);
    return due.toSorted((a, b) => a.at - b.at)[0];
  }
}
