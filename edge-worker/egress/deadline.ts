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
  const ended = Promise.withResolvers<never>();
  const end = (reason: unknown): void => {
    ending.abort(reason);
    ended.reject(reason);
  };
  const cancelTimer = clock.after(milliseconds, () => {
    const seconds = milliseconds / 1000;
    end(new StreamError("timed-out", `Cannot connect: no answer within ${seconds} s`));
  });
  const forward = (): void => end(signal.reason);
  signal.addEventListener("abort", forward);
  const result = attempt(ending.signal);
  try {
    return await Promise.race([result, ended.promise]);
  } catch (error) {
    result.then(discard, () => {});
    throw error;
  } finally {
    cancelTimer();
    signal.removeEventListener("abort", forward);
  }
}
