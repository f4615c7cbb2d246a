import type { Clock } from "../../protocol/clock.ts";
import { StreamError } from "../../protocol/errors.ts";

/**
 * Runs `attempt` and rejects with "timed-out" once `milliseconds` have passed, or with the reason
 * of `signal` once that aborts. Where the platform cannot end an attempt, a result that comes too
 * late goes to `discard`.
 */
export async function withDeadline<Result>(
  clock: Clock,
  milliseconds: number,
  signal: AbortSignal,
  attempt: (signal: AbortSignal) => Promise<Result>,
  discard: (late: Result) => void,
): Promise<Result> {
  signal.throwIfAborted();
  const ending = new AbortController();
  const forward = (): void => ending.abort(signal.reason);
  signal.addEventListener("abort", forward);
  try {
    return await endWithin(clock, milliseconds, ending, attempt, discard);
  } finally {
    signal.removeEventListener("abort", forward);
  }
}

/** The same for an `ending` that is of this one attempt, and may be aborted by others, too. */
export function endWithin<Result>(
  clock: Clock,
  milliseconds: number,
  ending: AbortController,
  attempt: (signal: AbortSignal) => Promise<Result>,
  discard: (late: Result) => void,
): Promise<Result> {
  const { signal } = ending;
  if (signal.aborted) return Promise.reject(signal.reason);
  return new Promise((resolve, reject) => {
    const cancelTimer = clock.after(milliseconds, () => {
      const seconds = milliseconds / 1000;
      ending.abort(new StreamError("timed-out", `Cannot connect: no answer within ${seconds} s`));
    });
    const end = (): void => {
      cancelTimer();
      reject(signal.reason);
    };
    signal.addEventListener("abort", end);
    const settle = (): void => {
      cancelTimer();
      signal.removeEventListener("abort", end);
    };
    attempt(signal).then(
      (result) => {
        if (signal.aborted) return discard(result);
        settle();
        resolve(result);
      },
      (error: unknown) => {
        if (signal.aborted) return;
        settle();
        reject(error);
      },
    );
  });
}
