/** Ends a timer; harmless afterwards. */
export type Cancel = () => void;

/** Time and turns of the event loop, as a platform or a test gives them. */
export interface Clock {
  /** Milliseconds from a fixed point, never going back. */
  now(): number;
  /** Milliseconds by which it moves at a time; absent: next to nothing. */
  readonly tickMs?: number;
  /** Milliseconds as people count them: these go on while the machine sleeps, and may be set. */
  wall(): number;
  after(milliseconds: number, callback: () => void): Cancel;
  /** Runs `callback` once what is ready in this turn of the event loop has been handled. */
  defer(callback: () => void): void;
  /**
   * The same once other events that are ready have been handled as well. Absent where one turn is
   * for all of them.
   */
  readonly gather?: (callback: () => void) => void;
}

/** Resolves after `milliseconds`, or at once when `signal` aborts: look at it to tell which. */
export function pause(clock: Clock, milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const finish = (): void => {
      cancel();
      signal?.removeEventListener("abort", finish);
      resolve();
    };
    const cancel = clock.after(milliseconds, finish);
    signal?.addEventListener("abort", finish);
  });
}
