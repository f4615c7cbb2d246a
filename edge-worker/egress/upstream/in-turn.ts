import type { Clock } from "../../../protocol/clock.ts";
import { type FailureReason, StreamError } from "../../../protocol/errors.ts";
import { withDeadline } from "../deadline.ts";
import type { Connection } from "../egress.ts";

/**
 * Failures that leave room for another way: nothing answered, or this way cannot do it. "Refused"
 * is not among them, as the target itself has spoken, nor are "denied" and "name-not-found".
 */
const reachability: ReadonlySet<FailureReason> = new Set([
  "timed-out",
  "host-unreachable",
  "network-unreachable",
  "edge-unavailable",
  "command-unsupported",
  "platform-blocked",
]);

/** Whether another way out may do better than the one that failed so. */
export function isReachability(error: unknown): boolean {
  return error instanceof StreamError && reachability.has(error.reason);
}

/**
 * Tries one way after the other until one succeeds or the target itself says no. `failure` is that
 * of a way before these. @throws what says most of the target: the last failure that is not an
 * upstream's own, else the first
 */
export async function inTurn<Way, Result>(
  ways: readonly Way[],
  attempt: (way: Way, waysLeft: number) => Promise<Result>,
  failure?: unknown,
): Promise<Result> {
  let told = failure;
  for (const [i, way] of ways.entries()) {
    try {
      return await attempt(way, ways.length - i);
    } catch (error) {
      if (!isReachability(error)) throw error;
      const isOfUpstream = error instanceof StreamError && error.reason === "edge-unavailable";
      if (told === undefined || !isOfUpstream) told = error;
    }
  }
  throw told;
}

/** The time that all ways to a target have together. */
export class SharedTime {
  readonly #clock: Clock;
  readonly #endsAt: number;
  readonly #signal: AbortSignal;

  constructor(clock: Clock, milliseconds: number, signal: AbortSignal) {
    this.#clock = clock;
    this.#endsAt = clock.now() + milliseconds;
    this.#signal = signal;
  }

  /** Dials within an equal share of what is left, so that a silent way leaves time for the next. */
  dial(
    waysLeft: number,
    connect: (signal: AbortSignal) => Promise<Connection>,
  ): Promise<Connection> {
    const share = Math.max(1, (this.#endsAt - this.#clock.now()) / waysLeft);
    return withDeadline(this.#clock, share, this.#signal, connect, ({ channel }) => {
      channel.abort(new StreamError("cancelled", "The connection came too late"));
    });
  }
}
