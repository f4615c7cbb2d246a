import { ByteReader, ByteWriter } from "./bytes.ts";
import type { Cancel, Clock } from "./clock.ts";
import { ProtocolError } from "./errors.ts";

/** Boxes on the way cut idle connections after about 100 s; workerd's own front after that, too. */
export const PING_INTERVAL_MS = 30_000;
/** Missed in a row before a carrier counts as dead that cannot be resumed, or that we do not ping. */
const MISSED_PINGS = 2;

/** How often a busy carrier is looked at, once its loss costs nothing but a new one. */
const QUICK_TICK_MS = 1000;
/** After this silence a busy carrier is pinged, and whatever is heard after this time. */
const QUIET_MS = 3000;
const ASK_MS = 5000;
/** Something is heard this soon after a ping, or in four of the last round trips. */
const ANSWER_MS = 5000;
/**
 * The answer itself may take longer: on a slow way it is behind all else that is in flight. Without
 * it nothing of ours arrives, though everything is heard.
 */
const UNANSWERED_MS = 20_000;
/**
 * A carrier is busy until this long after its last bytes: for them to come back, or what answers them
 * to wait at the other end, of which we hear nothing.
 */
const BUSY_MS = 60_000;

export interface KeepAliveActions {
  /** The agent pings; the edge only listens, as each ping to a Durable Object is billed. */
  readonly pings: boolean;
  readonly ping: (stamp: Uint8Array) => void;
  /** Nothing was heard for so long. */
  readonly dead: (silentMs: number) => void;
  /** Much may be heard, but no ping was answered for so long: what we send is lost on the way. */
  readonly unanswered: (sinceMs: number) => void;
}

/** Notices that a carrier is dead, and measures its round trip (PROTOCOL.md section 4.2). */
export class KeepAlive {
  readonly #clock: Clock;
  readonly #actions: KeepAliveActions;
  #lastHeard: number;
  #lastTraffic = -Infinity;
  /** When the ping was sent that nothing was heard since. */
  #pingedAt: number | undefined;
  /** The same of the first ping since the last answer to one. */
  #askedAt: number | undefined;
  #lastPing: number;
  #isQuick = false;
  #delayMs = 0;
  #cancel: Cancel = () => {};
  #roundTripMs: number | undefined;

  constructor(clock: Clock, actions: KeepAliveActions) {
    this.#clock = clock;
    this.#actions = actions;
    this.#lastHeard = clock.now();
    this.#lastPing = clock.now();
    this.#schedule(PING_INTERVAL_MS);
  }

  get silentMs(): number {
    return this.#clock.now() - this.#lastHeard;
  }

  get roundTripMs(): number | undefined {
    return this.#roundTripMs;
  }

  /** Anything at all arrived. */
  heard(): void {
    this.#lastHeard = this.#clock.now();
    this.#pingedAt = undefined;
  }

  /** The session can be resumed: notice within seconds when a busy carrier is lost. */
  beQuick(): void {
    this.#isQuick = this.#actions.pings;
  }

  /** Bytes of streams go to and fro, or want to. */
  traffic(): void {
    if (!this.#isQuick) return;
    this.#lastTraffic = this.#clock.now();
    if (this.#delayMs > QUICK_TICK_MS) this.#schedule(QUICK_TICK_MS);
  }

  /** Pings now: an answer must come soon. */
  probe(): void {
    if (!this.#isQuick) return;
    this.#ping();
    this.#schedule(QUICK_TICK_MS);
  }

  /** Takes the stamp of a PONG, the time of our PING in microseconds, and tells the round trip. */
  answered(stamp: Uint8Array): number {
    const elapsedMs = this.#clock.now() - new ByteReader(stamp).u64() / 1000;
    if (elapsedMs < 0) throw new ProtocolError("ERR_FRAME_FIELD", "Cannot take PONG: never sent");
    this.#roundTripMs = elapsedMs;
    this.#askedAt = undefined;
    return elapsedMs;
  }

  stop(): void {
    this.#cancel();
  }

  #schedule(delayMs: number): void {
    this.#cancel();
    this.#delayMs = delayMs;
    this.#cancel = this.#clock.after(delayMs, () => this.#tick());
  }

  #tick(): void {
    const now = this.#clock.now();
    const { silentMs } = this;
    if (this.#isDead(now)) return this.#actions.dead(silentMs);
    const unansweredMs = now - (this.#askedAt ?? now);
    if (this.#isQuick && unansweredMs >= this.#patience(UNANSWERED_MS)) {
      return this.#actions.unanswered(unansweredMs);
    }
    const isBusy = this.#isQuick && now - this.#lastTraffic < BUSY_MS;
    const wasIdle = this.#delayMs === PING_INTERVAL_MS;
    const askedMs = now - this.#lastPing;
    const isDoubtful = silentMs >= QUIET_MS ? askedMs >= QUIET_MS : askedMs >= ASK_MS;
    if (wasIdle || (isBusy && isDoubtful)) this.#ping();
    const isWaiting = this.#isQuick && this.#pingedAt !== undefined;
    this.#schedule(isBusy || isWaiting ? QUICK_TICK_MS : PING_INTERVAL_MS);
  }

  #isDead(now: number): boolean {
    // Half an interval more: the last answer came a round trip after its ping.
    if (!this.#isQuick) return now - this.#lastHeard >= PING_INTERVAL_MS * (MISSED_PINGS + 0.5);
    return this.#pingedAt !== undefined && now - this.#pingedAt >= this.#patience(ANSWER_MS);
  }

  #patience(leastMs: number): number {
    return Math.max(leastMs, 4 * (this.#roundTripMs ?? 0));
  }

  #ping(): void {
    if (!this.#actions.pings) return;
    const now = this.#clock.now();
    this.#pingedAt ??= now;
    this.#askedAt ??= now;
    this.#lastPing = now;
    this.#actions.ping(new ByteWriter().u64(Math.floor(now * 1000)).take());
  }
}
