import { AWAITED, Backoff, rangeOf, UNREACHABLE } from "./backoff.ts";
import type { Carrier, CarrierEvents } from "./carrier.ts";
import { type Clock, pause } from "./clock.ts";
import { Doubt } from "./doubt.ts";
import { CarrierError, messageOf, ProtocolError, StreamError } from "./errors.ts";
import { HandOver } from "./hand-over.ts";
import type { Hello } from "./hello.ts";
import { Link } from "./link.ts";
import type { Log } from "./log.ts";
import { MessageMemory } from "./message-memory.ts";
import type { PoolSize } from "./pool.ts";
import { PoolKeeper } from "./pool-keeper.ts";
import { Session } from "./session.ts";
import { CloseCode, GoAwayReason } from "./wire.ts";

/** Opens a WebSocket to the edge. @throws CarrierError, with ERR_ADMISSION when the edge said no */
export type Dial = (signal: AbortSignal) => Promise<(events: CarrierEvents) => Carrier>;

/** Whom an uplink tells how it fares. */
export interface UplinkMetrics {
  edgeUp(isUp: boolean): void;
  /** A carrier could not be had, or was lost. */
  carrierFailed(error: unknown): void;
}

export interface UplinkOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: UplinkMetrics;
  readonly random: () => number;
  readonly dial: Dial;
  readonly hello: Hello;
  /** Bytes of datagrams that may wait for a carrier; undefined for what DatagramQueue thinks right. */
  readonly datagramBytes?: number;
  /** Bytes to keep, to send them again when a carrier is lost. */
  readonly resumeMemory: number;
  /** Carriers to keep at first, as far as the edge allows. */
  readonly carriers: PoolSize;
  /** The edge as people know it, for the log. */
  readonly edge: string;
}

/** How long a request waits for an edge before it is told that there is none. */
const SESSION_WAIT_MS = 10_000;
/** A carrier that lasted this long, or carried something, was a success: its loss needs no pause. */
const STEADY_MS = 1000;
/** A pause below this is only logged for those who look closely. */
const QUIET_MS = 200;
/** A dial takes less, or waits for an answer that does not come. */
const STUCK_MS = 2000;
/** How long a carrier that was handed over may serve the streams it has: until its edge ends it. */
const HANDOVER_DRAIN_MS = 4_294_967_295;

/** Keeps a session with one edge: dials, and dials again when a carrier is lost or drains. */
export class Uplink {
  readonly #options: UplinkOptions;
  readonly #backoff: Backoff;
  readonly #stopping = new AbortController();
  readonly #sessions = new Set<Session>();
  readonly #waiting = new Set<PromiseWithResolvers<Session>>();
  /** The session of new streams; others only serve the streams they have. */
  #current: Session | undefined;
  /** By what a further carrier joins the current session. */
  #token: Uint8Array = new Uint8Array();
  /** The link whose edge has not said HELLO yet. */
  #greeting: Link | undefined;
  #greetedAt = -Infinity;
  /** A carrier did not last: the next dial must not follow at once. */
  #isShaky = false;
  #isUp = false;
  /** The network has changed while we dialled: the next try is due at once. */
  #isHurried = false;
  readonly #doubt: Doubt;
  #attempt = new AbortController();
  /** When the dial that is under way began; without one, never. */
  #attemptedAt = Infinity;
  /** The loss that was counted last. */
  #lastLoss: Error | undefined;
  #wake: () => void = () => {};
  #failure = "it was not reached yet";
  /** The same where there is nothing to wake from but having enough carriers. */
  #notice: () => void = () => {};
  readonly #pool: PoolKeeper;
  readonly #handOver: HandOver;
  readonly #memory = new MessageMemory();
  /** How long the last HELLO was waited for. */
  #helloMs: number | undefined;

  constructor(options: UplinkOptions) {
    this.#options = options;
    this.#pool = new PoolKeeper(options.clock, options.carriers, {
      session: () => this.#current,
      looked: () => this.#notice(),
    });
    this.#handOver = new HandOver(options.clock, () => this.#notice());
    this.#backoff = new Backoff(options.random);
    this.#doubt = new Doubt(options.clock);
  }

  /** The round trip to the edge: of the last ping, or else of HELLO; undefined before it was there. */
  get roundTripMs(): number | undefined {
    return this.#current?.roundTripMs ?? this.#helloMs;
  }

  /** Why the edge was not to be had the last time, for people. */
  get failure(): string {
    return this.#failure;
  }

  /** Keeps so many carriers from now on; those that there are beyond go when they are at rest. */
  keep(carriers: PoolSize): void {
    this.#pool.resize(carriers);
    this.#notice();
  }

  /** Runs until stop(). */
  async run(): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      if (!this.#lacksCarrier()) await this.#changed();
      else if (this.#isShaky) {
        this.#isShaky = false;
        await this.#pause(this.#backoff.nextMs(UNREACHABLE));
      } else await this.#tryConnect();
    }
  }

  /** A session to open streams in. @throws StreamError "edge-unavailable" after 10 s without one */
  session(): Promise<Session> {
    const current = this.#current;
    if (current?.isOpen) {
      this.#pool.rouse();
      if (this.#handOver.isDue(current)) this.#notice();
      // One whose edge could serve no stream more leaves it to the next session.
      if (!this.#handOver.isUsedUp(current)) return Promise.resolve(current);
    }
    if (this.#stopping.signal.aborted) {
      return Promise.reject(new StreamError("edge-unavailable", "The agent is stopping"));
    }
    const waiter = Promise.withResolvers<Session>();
    this.#waiting.add(waiter);
    const cancelTimer = this.#options.clock.after(SESSION_WAIT_MS, () => {
      waiter.reject(new StreamError("edge-unavailable", `There is no edge: ${this.#failure}`));
    });
    return waiter.promise.finally(() => {
      cancelTimer();
      this.#waiting.delete(waiter);
    });
  }

  /**
   * This machine's network is another now: looks at every carrier, and dials another without a pause.
   * Those that are silent until it is there are lost; all of them, where the machine was asleep.
   */
  networkChanged(hasSlept: boolean): void {
    if (hasSlept) for (const session of this.#sessions) session.lose("This machine has slept");
    this.#backoff.reset();
    this.#isShaky = false;
    this.#isHurried = true;
    this.#doubt.raise();
    for (const session of this.#sessions) session.probe();
    this.#attempt.abort();
    this.#greeting?.lose("The network has changed");
    this.#wake();
  }

  /** Ends the streams and their carriers, and dials no more. */
  stop(): void {
    this.#stopping.abort();
    this.#pool.stop();
    this.#handOver.stop();
    const unavailable = new StreamError("edge-unavailable", "The agent is stopping");
    for (const { reject } of this.#waiting) reject(unavailable);
    this.#greeting?.close("The agent has stopped");
    for (const session of this.#sessions) {
      session.reset(new StreamError("cancelled", "The agent is stopping"));
      session.close("The agent has stopped");
    }
    this.#wake();
  }

  #lacksCarrier(): boolean {
    const session = this.#current;
    if (!session?.isOpen || this.#handOver.isDue(session)) return true;
    return this.#pool.isLacking(session) || this.#doubt.silent(session).length > 0;
  }

  /** Resolves when something has changed that may need a carrier. */
  async #changed(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      this.#notice = resolve;
    });
    this.#notice = () => {};
  }

  /** Waits, unless the network changes or the agent stops before. */
  async #pause(milliseconds: number): Promise<void> {
    const ending = new AbortController();
    this.#wake = () => ending.abort();
    await pause(this.#options.clock, milliseconds, ending.signal);
  }

  async #tryConnect(): Promise<void> {
    const { log, metrics, edge } = this.#options;
    try {
      this.#attemptedAt = this.#options.clock.now();
      await this.#connect();
      this.#attemptedAt = Infinity;
    } catch (error) {
      this.#attemptedAt = Infinity;
      if (this.#stopping.signal.aborted) return;
      this.#failure = messageOf(error);
      metrics.carrierFailed(error);
      const code = error instanceof CarrierError ? error.code : undefined;
      // Without a session to ask for, the edge may well take us.
      if (code === "ERR_NO_SESSION" || this.#isHurried) return;
      const range = rangeOf({ isRefused: code === "ERR_ADMISSION", isAwaited: this.#isAwaited });
      const waitMs = this.#backoff.nextMs(range);
      // What is tried again in no time at all is not worth a line each.
      const level = range === AWAITED && waitMs < QUIET_MS ? "debug" : "warn";
      const retryMs = Math.round(waitMs);
      log[level](`Cannot use the edge at ${edge}: ${this.#failure}`, { retryMs });
      await this.#pause(waitMs);
    }
  }

  /** Streams wait for a carrier. */
  get #isAwaited(): boolean {
    const session = this.#current;
    return session !== undefined && session.streamCount > 0 && !session.isOpen;
  }

  /** Dials, and greets: joins the current session, or begins one. */
  async #connect(): Promise<void> {
    const { clock, dial, hello } = this.#options;
    this.#isHurried = false;
    this.#attempt = new AbortController();
    const open = await dial(AbortSignal.any([this.#stopping.signal, this.#attempt.signal]));
    if (this.#stopping.signal.aborted) {
      open({ message: () => {}, closed: () => {} }).close(CloseCode.GoingAway, "");
      throw new CarrierError("ERR_CARRIER_LOST", "The agent is stopping");
    }
    const current = this.#current;
    const joined = current && this.#handOver.isDue(current) ? undefined : current;
    const carrier = joined?.carriers.next() ?? 1;
    const session = joined ? this.#token : new Uint8Array();
    const greeted = Promise.withResolvers<void>();
    const beganAt = clock.now();
    this.#greeting = new Link(
      {
        clock,
        memory: this.#memory,
        datagramBytes: this.#options.datagramBytes,
        speaksFirst: true,
        hello: () => ({ ...hello, session, carrier: hello.resumeWindow > 0 ? carrier : 0 }),
        behind: (link) => joined?.resumption(link),
        greet: (remote, link) => {
          this.#helloMs = clock.now() - beganAt;
          return this.#greet(joined, remote, link, carrier, greeted.resolve);
        },
        failed: (reason) => {
          this.#refused(joined, reason);
          greeted.reject(reason);
        },
      },
      open,
    );
    const link = this.#greeting;
    try {
      await greeted.promise;
    } catch (error) {
      joined?.abandon(link, carrier);
      throw error;
    } finally {
      this.#greeting = undefined;
    }
  }

  #greet(
    joined: Session | undefined,
    remote: Hello,
    link: Link,
    carrier: number,
    done: () => void,
  ): Session {
    if (joined?.isOver) {
      const goAway = GoAwayReason.SessionOver;
      throw new ProtocolError("ERR_FRAME_STATE", "The session is over", { goAway });
    }
    const { clock, log, edge } = this.#options;
    const session = joined ?? this.#begin(remote);
    if (session === this.#current) this.#token = remote.session;
    const isFirst = session.linkCount === 0;
    session.attach(link, carrier);
    this.#greetedAt = clock.now();
    this.#pool.rouse();
    if (isFirst) log.info(`Connected to the edge at ${edge}`, { runtime: remote.runtime });
    this.#tellUp(true);
    for (const { resolve } of this.#waiting) resolve(session);
    this.#doubt.settle(session);
    done();
    return session;
  }

  #begin(remote: Hello): Session {
    const { clock, hello, resumeMemory } = this.#options;
    const session = new Session({
      clock,
      local: hello,
      remote,
      resumeMemory,
      draining: () => this.#drained(session),
      lost: (reason, link) => this.#lost(session, reason, link),
      closed: (reason) => this.#ended(session, reason),
    });
    this.#sessions.add(session);
    const before = this.#current;
    this.#current = session;
    this.#handOver.watch(session);
    // Its streams go on there until the last has ended.
    before?.drain(HANDOVER_DRAIN_MS, "The next carrier takes the new streams");
    return session;
  }

  /** Streams on the old carrier end in their own time; new ones need another. */
  #drained(session: Session): void {
    if (session === this.#current) {
      if (!session.isResumable) this.#current = undefined;
      if (!this.#current?.isOpen) this.#tellUp(false);
    }
    this.#wake();
  }

  #lost(session: Session, reason: CarrierError, link: Link): void {
    const { log, metrics, edge } = this.#options;
    if (this.#pool.hasEnded(link)) return;
    metrics.carrierFailed(reason);
    this.#lastLoss = reason;
    this.#weigh(link.received > 0);
    this.#giveUpStuck();
    if (session !== this.#current) {
      // No carrier can join it; its streams go on on those that it has.
      if (session.linkCount === 0) session.close("Its edge does not know it any more");
      return;
    }
    if (session.linkCount === 0) {
      this.#tellUp(false);
      log.info(`The carrier to ${edge} is lost`, { reason: messageOf(reason) });
    }
    this.#wake();
  }

  /** What was dialled while the carrier died has most likely gone the same way. */
  #giveUpStuck(): void {
    if (this.#options.clock.now() - this.#attemptedAt < STUCK_MS) return;
    this.#isHurried = true;
    this.#attempt.abort();
    this.#greeting?.lose("A carrier was lost meanwhile");
  }

  #ended(session: Session, reason: CarrierError | ProtocolError): void {
    const { log, metrics, edge } = this.#options;
    this.#sessions.delete(session);
    if (reason !== this.#lastLoss) metrics.carrierFailed(reason);
    log.info(`The session with ${edge} is over`, { reason: messageOf(reason) });
    if (session !== this.#current) return;
    this.#current = undefined;
    this.#tellUp(false);
    this.#weigh(false);
    this.#wake();
  }

  /** Told once for each change, as whoever hears of it counts. */
  #tellUp(isUp: boolean): void {
    if (isUp === this.#isUp) return;
    this.#isUp = isUp;
    this.#options.metrics.edgeUp(isUp);
  }

  /** An edge that takes us and drops us at once must not be dialled in a tight loop. */
  #weigh(hasServed: boolean): void {
    const hasLasted = this.#options.clock.now() - this.#greetedAt >= STEADY_MS;
    if (hasLasted || hasServed) this.#backoff.reset();
    else this.#isShaky = true;
  }

  /** The edge does not know the session: new streams need a new one, and old ones have what is left. */
  #refused(session: Session | undefined, reason: CarrierError | ProtocolError): void {
    if (!session || session !== this.#current || reason.code !== "ERR_NO_SESSION") return;
    this.#current = undefined;
    if (session.linkCount === 0) session.close("The edge does not know the session any more");
  }
}
