import { type Clock, pause } from "../protocol/clock.ts";
import type { Bridge } from "./bridge.ts";

/** By which `edgesocks deploy` tells, in an admitted request, how many milliseconds agents have to leave. */
export const DRAIN_HEADER = "edgesocks-drain";
/** Most that one may ask for; a request should not stand open for longer. */
export const MAX_DRAIN_MS = 300_000;

/** The next version comes up in that time, or it does not come: then this one serves again. */
const REPLACED_WITHIN_MS = 30_000;
const POLL_MS = 100;

/** What a DRAIN_HEADER asks for; undefined for a request that is for a carrier. */
export function drainAsked(headers: Headers): number | undefined {
  const text = headers.get(DRAIN_HEADER);
  if (text === null) return undefined;
  return /^\d{1,6}$/.test(text) ? Math.min(Number(text), MAX_DRAIN_MS) : 0;
}

/** The time in which the next version of a Worker is to take the place of this one. */
export class Replacement {
  readonly #clock: Clock;
  #until = -Infinity;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Whether an agent that comes would only be cut off again. */
  get isDue(): boolean {
    return this.#clock.now() < this.#until;
  }

  /** Drains a bridge and closes it. Resolves with how many sessions had not ended by themselves. */
  async begin(bridge: Bridge, drainMs: number): Promise<number> {
    const deadline = this.#clock.now() + drainMs;
    // Whatever becomes of this: nobody is shut out for good.
    this.#until = deadline + REPLACED_WITHIN_MS;
    bridge.drain(drainMs);
    while (bridge.sessionCount > 0 && this.#clock.now() < deadline) {
      await pause(this.#clock, POLL_MS);
    }
    const cut = bridge.sessionCount;
    bridge.close();
    this.#until = this.#clock.now() + REPLACED_WITHIN_MS;
    return cut;
  }
}
