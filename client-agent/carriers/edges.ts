import type { Cancel, Clock } from "../../protocol/clock.ts";
import { StreamError } from "../../protocol/errors.ts";
import type { Log } from "../../protocol/log.ts";
import type { PoolSize } from "../../protocol/pool.ts";
import type { Session } from "../../protocol/session.ts";
import type { Uplink } from "../../protocol/uplink.ts";

export interface EdgesOptions<Place extends { readonly name: string }> {
  readonly clock: Clock;
  readonly log: Log;
  /** The edges, by the names that people know; of two that are as near the first is taken. */
  readonly edges: readonly Place[];
  /** Carriers to the edge that has new streams, and to each of the others. */
  readonly carriers: { readonly active: PoolSize; readonly standby: PoolSize };
  /** Makes the uplink to an edge, which says when that is up or no more. */
  readonly create: (edge: Place, carriers: PoolSize, edgeUp: (isUp: boolean) => void) => Uplink;
}

interface Candidate {
  readonly name: string;
  readonly uplink: Uplink;
  isUp: boolean;
  /** Its last round trips, in milliseconds. */
  readonly roundTrips: number[];
}

/** New streams wait so long for the edge that they go by, then they go by another. */
const AWAY_MS = 10_000;
/** A request waits a little longer, so that it is still there then. */
const SESSION_WAIT_MS = AWAY_MS + 1000;
/** The best edge must have been back for so long: one that comes and goes would take streams along. */
const STEADY_MS = 5000;
/** After the start the edges have so long to answer, before the nearest of them is taken. */
const SETTLE_MS = 3000;
/** Pings of an idle carrier come as often. */
const LOOK_MS = 30_000;
const ROUND_TRIPS = 10;
/**
 * A rival is better when its round trip is below this share of ours, and by these milliseconds, at
 * so many looks in a row: who moves changes the address that targets see, and a carrier that is
 * busy has round trips up to twice as long.
 */
const BETTER_SHARE = 0.5;
const BETTER_MS = 20;
const BETTER_LOOKS = 3;

/**
 * Several edges as one. All are kept at hand; new streams go by the nearest, and by another while
 * that one is away. Streams stay with the session that they began in.
 */
export class Edges<Place extends { readonly name: string }> {
  readonly #options: Pick<EdgesOptions<Place>, "clock" | "log" | "carriers">;
  readonly #candidates: readonly Candidate[];
  readonly #waiting = new Set<PromiseWithResolvers<Candidate>>();
  readonly #cancels = new Map<"away" | "steady" | "look", Cancel>();
  /** The nearest, whether or not it is up: where we belong. */
  #home: Candidate | undefined;
  /** Where new streams go. */
  #active: Candidate | undefined;
  /** The active one has been away for long enough: whoever comes first takes its place. */
  #isAway = false;
  #rival: { readonly candidate: Candidate; readonly looks: number } | undefined;
  #isStopping = false;

  constructor(options: EdgesOptions<Place>) {
    this.#options = options;
    this.#candidates = options.edges.map((edge): Candidate => {
      const tell = (isUp: boolean): void => this.#changed(candidate, isUp);
      const uplink = options.create(edge, options.carriers.standby, tell);
      const candidate = { name: edge.name, uplink, isUp: false, roundTrips: [] };
      return candidate;
    });
  }

  /** Runs until stop(). */
  async run(): Promise<void> {
    this.#after("look", SETTLE_MS, () => this.#settle());
    await Promise.all(this.#candidates.map(({ uplink }) => uplink.run()));
  }

  /** A session to open streams in. @throws StreamError "edge-unavailable" when no edge is there */
  async session(): Promise<Session> {
    const { uplink } = this.#active?.isUp ? this.#active : await this.#nextUp();
    return uplink.session();
  }

  /** As Uplink.networkChanged(). */
  networkChanged(hasSlept: boolean): void {
    for (const { uplink } of this.#candidates) uplink.networkChanged(hasSlept);
  }

  /** Ends the streams and their carriers, and dials no more. */
  stop(): void {
    this.#isStopping = true;
    for (const cancel of this.#cancels.values()) cancel();
    const unavailable = new StreamError("edge-unavailable", "The agent is stopping");
    for (const { reject } of this.#waiting) reject(unavailable);
    for (const { uplink } of this.#candidates) uplink.stop();
  }

  #nextUp(): Promise<Candidate> {
    if (this.#isStopping) {
      return Promise.reject(new StreamError("edge-unavailable", "The agent is stopping"));
    }
    const waiter = Promise.withResolvers<Candidate>();
    this.#waiting.add(waiter);
    const cancelTimer = this.#options.clock.after(SESSION_WAIT_MS, () => {
      const why = [...new Set(this.#candidates.map(({ uplink }) => uplink.failure))].join("; ");
      waiter.reject(new StreamError("edge-unavailable", `There is no edge: ${why}`));
    });
    return waiter.promise.finally(() => {
      cancelTimer();
      this.#waiting.delete(waiter);
    });
  }

  #changed(candidate: Candidate, isUp: boolean): void {
    candidate.isUp = isUp;
    if (this.#isStopping) return;
    if (candidate === this.#active) {
      if (!isUp) return this.#after("away", AWAY_MS, () => this.#leave());
      this.#isAway = false;
      this.#cancel("away");
      return this.#tellWaiting(candidate);
    }
    if (!isUp && candidate === this.#home) this.#cancel("steady");
    if (!isUp) return;
    if (!this.#active || this.#isAway) this.#use(candidate);
    else if (candidate === this.#home) {
      this.#after("steady", STEADY_MS, () => this.#use(candidate));
    }
  }

  /** The active edge stays away. */
  #leave(): void {
    this.#isAway = true;
    const next = this.#nearest();
    if (next) this.#use(next);
  }

  #use(candidate: Candidate): void {
    const { log, carriers } = this.#options;
    const before = this.#active;
    if (candidate !== before) {
      this.#active = candidate;
      this.#home ??= candidate;
      before?.uplink.keep(carriers.standby);
      candidate.uplink.keep(carriers.active);
      log.info(`New streams go by the edge at ${candidate.name}`);
    }
    this.#isAway = false;
    this.#cancel("away");
    this.#cancel("steady");
    if (candidate !== this.#home && this.#home?.isUp) this.#changed(this.#home, true);
    this.#tellWaiting(candidate);
  }

  #tellWaiting(candidate: Candidate): void {
    for (const { resolve } of this.#waiting) resolve(candidate);
  }

  /** The nearest of those that have answered by now. */
  #settle(): void {
    this.#measure();
    const nearest = this.#nearest();
    if (nearest) {
      this.#home = nearest;
      this.#use(nearest);
    }
    this.#after("look", LOOK_MS, () => this.#look());
  }

  /** Moves to a rival that has been much nearer for some time. */
  #look(): void {
    this.#after("look", LOOK_MS, () => this.#look());
    this.#measure();
    const home = this.#home;
    const nearest = this.#nearest();
    if (!home?.isUp || !nearest || nearest === home || !isMuchNearer(nearest, home)) {
      this.#rival = undefined;
      return;
    }
    const looks = this.#rival?.candidate === nearest ? this.#rival.looks + 1 : 1;
    this.#rival = { candidate: nearest, looks };
    if (looks < BETTER_LOOKS) return;
    this.#rival = undefined;
    this.#home = nearest;
    this.#use(nearest);
  }

  #measure(): void {
    for (const { uplink, isUp, roundTrips } of this.#candidates) {
      if (!isUp || uplink.roundTripMs === undefined) continue;
      roundTrips.push(uplink.roundTripMs);
      if (roundTrips.length > ROUND_TRIPS) roundTrips.shift();
    }
  }

  /** Of those that are up the one with the shortest round trip, else the first in the list. */
  #nearest(): Candidate | undefined {
    const up = this.#candidates.filter(({ isUp }) => isUp);
    return up.toSorted((a, b) => distanceOf(a) - distanceOf(b) || 0)[0];
  }

  #after(what: "away" | "steady" | "look", milliseconds: number, callback: () => void): void {
    this.#cancel(what);
    this.#cancels.set(what, this.#options.clock.after(milliseconds, callback));
  }

  #cancel(what: "away" | "steady" | "look"): void {
    this.#cancels.get(what)?.();
  }
}

/** The least of the last round trips: queues make some longer, and none shorter. */
function distanceOf({ roundTrips, uplink }: Candidate): number {
  return Math.min(...roundTrips, uplink.roundTripMs ?? Number.MAX_VALUE);
}

function isMuchNearer(rival: Candidate, home: Candidate): boolean {
  const [near, far] = [distanceOf(rival), distanceOf(home)];
  return near < far * BETTER_SHARE && far - near >= BETTER_MS;
}
