import type { Address } from "../../protocol/address.ts";
import type { Cancel, Clock } from "../../protocol/clock.ts";
import { tellingFailure } from "./telling-failure.ts";

/** RFC 8305 section 8: how long addresses of the other family may keep IPv4 waiting. */
const RESOLUTION_DELAY_MS = 50;
/** RFC 8305 section 8: how long an attempt has before the next begins beside it. */
const ATTEMPT_DELAY_MS = 250;
/** A name may have any number of addresses; nobody gets this many sockets at once for it. */
const MAX_ATTEMPTS = 32;

type Family = "ipv6" | "ipv4";

/** The addresses of a name, each family as it comes in. A rejection stands for none, and says why. */
export type FamilyLookups = Readonly<Record<Family, Promise<readonly Address[]>>>;

export interface DialRaceOptions<Connected> {
  readonly clock: Clock;
  /** Ends the race, with its reason. */
  readonly signal: AbortSignal;
  /** Connects to one address; `signal` ends the attempt. */
  readonly dial: (address: Address, signal: AbortSignal) => Promise<Connected>;
  /** Takes a connection that came too late. */
  readonly discard: (late: Connected) => void;
}

/**
 * Connects to the first of a name's addresses that answers (RFC 8305): IPv6 first, families by
 * turns, the next after 250 ms or as soon as one has failed, and never waiting for both lookups.
 * Rejects with the most telling failure once there is no address left.
 */
export function raceDials<Connected>(
  lookups: FamilyLookups,
  options: DialRaceOptions<Connected>,
): Promise<Connected> {
  return new DialRace(options).run(lookups);
}

class DialRace<Connected> {
  readonly #options: DialRaceOptions<Connected>;
  readonly #outcome = Promise.withResolvers<Connected>();
  readonly #ending = new AbortController();
  readonly #waiting: Record<Family, Address[]> = { ipv6: [], ipv4: [] };
  readonly #looking = new Set<Family>(["ipv6", "ipv4"]);
  readonly #failures: unknown[] = [];
  #next: Family = "ipv6";
  #attemptCount = 0;
  #pendingCount = 0;
  #isOver = false;
  /** Ends the delay that runs; undefined when the next attempt may begin at once. */
  #cancelDelay: Cancel | undefined;

  constructor(options: DialRaceOptions<Connected>) {
    this.#options = options;
  }

  run(lookups: FamilyLookups): Promise<Connected> {
    const { signal } = this.#options;
    const stop = (): void => {
      if (this.#end(signal.reason)) this.#outcome.reject(signal.reason);
    };
    if (signal.aborted) stop();
    signal.addEventListener("abort", stop);
    for (const family of ["ipv6", "ipv4"] as const) {
      lookups[family].then(
        (addresses) => this.#found(family, addresses),
        (error: unknown) => {
          this.#failures.push(error);
          this.#found(family, []);
        },
      );
    }
    return this.#outcome.promise.finally(() => signal.removeEventListener("abort", stop));
  }

  #found(family: Family, addresses: readonly Address[]): void {
    this.#looking.delete(family);
    this.#waiting[family].push(...addresses.slice(0, MAX_ATTEMPTS));
    if (this.#isOver) return;
    // RFC 8305 section 3: who has only A gives AAAA a moment, and AAAA waits for nobody.
    const isEarly = this.#attemptCount === 0 && this.#looking.has("ipv6");
    if (isEarly && addresses.length > 0) return this.#delay(RESOLUTION_DELAY_MS);
    if (this.#attemptCount === 0 || !this.#cancelDelay) this.#attempt();
  }

  /** Begins with the next address; ends the race when there will be none. */
  #attempt(): void {
    this.#cancelDelay?.();
    this.#cancelDelay = undefined;
    const address = this.#attemptCount < MAX_ATTEMPTS ? this.#take() : undefined;
    if (!address) {
      const isHopeless = this.#looking.size === 0 || this.#attemptCount >= MAX_ATTEMPTS;
      if (this.#pendingCount > 0 || !isHopeless) return;
      if (this.#end(undefined)) this.#outcome.reject(tellingFailure(this.#failures));
      return;
    }
    this.#attemptCount++;
    this.#pendingCount++;
    this.#delay(ATTEMPT_DELAY_MS);
    this.#options.dial(address, this.#ending.signal).then(
      (connected) => this.#connected(connected),
      (error: unknown) => this.#failed(error),
    );
  }

  /** RFC 8305 section 4: the families by turns, as far as both have addresses. */
  #take(): Address | undefined {
    const other = this.#next === "ipv6" ? "ipv4" : "ipv6";
    const family = this.#waiting[this.#next].length > 0 ? this.#next : other;
    this.#next = family === "ipv6" ? "ipv4" : "ipv6";
    return this.#waiting[family].shift();
  }

  #delay(milliseconds: number): void {
    this.#cancelDelay = this.#options.clock.after(milliseconds, () => this.#attempt());
  }

  #connected(connected: Connected): void {
    if (!this.#end(new Error("Another address has answered"))) {
      return this.#options.discard(connected);
    }
    this.#outcome.resolve(connected);
  }

  #failed(error: unknown): void {
    this.#pendingCount--;
    this.#failures.push(error);
    if (!this.#isOver) this.#attempt();
  }

  /** Whether the race ends with this: attempts that are under way get `reason`. */
  #end(reason: unknown): boolean {
    if (this.#isOver) return false;
    this.#isOver = true;
    this.#cancelDelay?.();
    this.#ending.abort(reason);
    return true;
  }
}
