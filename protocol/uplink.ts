import { Backoff, REFUSED, UNREACHABLE } from "./backoff.ts";
import type { Carrier, CarrierEvents } from "./carrier.ts";
import { type Clock, pause } from "./clock.ts";
import { CarrierError, messageOf, StreamError } from "./errors.ts";
import type { Hello } from "./hello.ts";
import { Link } from "./link.ts";
import type { Log } from "./log.ts";
import { Session } from "./session.ts";
import { CloseCode } from "./wire.ts";

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
  /** The edge as people know it, for the log. */
  readonly edge: string;
}

/** How long a request waits for an edge before it is told that there is none. */
const SESSION_WAIT_MS = 10_000;

/** A session that lasted this long was a success: the next failure starts with a short pause. */
const STEADY_MS = 5000;

/** A session, and what settles once it takes no new streams. */
interface Tenancy {
  readonly session: Session;
  readonly over: Promise<unknown>;
}

/** Keeps a session with one edge: dials, and dials again when the carrier is lost or drains. */
export class Uplink {
  readonly #options: UplinkOptions;
  readonly #stopping = new AbortController();
  readonly #sessions = new Set<Session>();
  readonly #waiting = new Set<PromiseWithResolvers<Session>>();
  #current: Session | undefined;
  /** The link whose edge has not said HELLO yet. */
  #greeting: Link | undefined;
  #failure = "it was not reached yet";

  constructor(options: UplinkOptions) {
    this.#options = options;
  }

  /** Runs until stop(). */
  async run(): Promise<void> {
    const { clock, log, metrics, random, edge } = this.#options;
    const backoff = new Backoff(random);
    while (!this.#stopping.signal.aborted) {
      try {
        const { session, over } = await this.#connect();
        const beganAt = clock.now();
        log.info(`Connected to the edge at ${edge}`, { runtime: session.remote.runtime });
        metrics.edgeUp(true);
        this.#current = session;
        for (const { resolve } of this.#waiting) resolve(session);
        const reason = await over;
        this.#current = undefined;
        metrics.edgeUp(false);
        log.info(`The session with ${edge} is over`, { reason: messageOf(reason) });
        // An edge that takes us and drops us at once must not be dialled in a tight loop.
        if (clock.now() - beganAt >= STEADY_MS) backoff.reset();
        else await pause(clock, backoff.nextMs(UNREACHABLE), this.#stopping.signal);
      } catch (error) {
        if (this.#stopping.signal.aborted) return;
        this.#failure = messageOf(error);
        metrics.carrierFailed(error);
        const isRefusal = error instanceof CarrierError && error.code === "ERR_ADMISSION";
        const waitMs = backoff.nextMs(isRefusal ? REFUSED : UNREACHABLE);
        log.warn(`Cannot use the edge at ${edge}: ${this.#failure}`, {
          retryMs: Math.round(waitMs),
        });
        await pause(clock, waitMs, this.#stopping.signal);
      }
    }
  }

  /** A session to open streams in. @throws StreamError "edge-unavailable" after 10 s without one */
  session(): Promise<Session> {
    if (this.#current?.isOpen) return Promise.resolve(this.#current);
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

  /** Ends the streams and their carriers, and dials no more. */
  stop(): void {
    this.#stopping.abort();
    const unavailable = new StreamError("edge-unavailable", "The agent is stopping");
    for (const { reject } of this.#waiting) reject(unavailable);
    this.#greeting?.close("The agent has stopped");
    for (const session of this.#sessions) {
      session.reset(new StreamError("cancelled", "The agent is stopping"));
      session.close("The agent has stopped");
    }
  }

  async #connect(): Promise<Tenancy> {
    const { clock, dial, hello } = this.#options;
    const open = await dial(this.#stopping.signal);
    if (this.#stopping.signal.aborted) {
      open({ message: () => {}, closed: () => {} }).close(CloseCode.GoingAway, "");
      throw new CarrierError("ERR_CARRIER_LOST", "The agent is stopping");
    }
    const over = Promise.withResolvers<unknown>();
    const session = await new Promise<Session>((resolve, reject) => {
      this.#greeting = new Link(
        {
          clock,
          datagramBytes: this.#options.datagramBytes,
          speaksFirst: true,
          hello: () => hello,
          greet: (remote, link) => {
            const session = this.#begin(remote, link, over.resolve);
            resolve(session);
            return session;
          },
          failed: reject,
        },
        open,
      );
    });
    this.#greeting = undefined;
    return { session, over: over.promise };
  }

  #begin(remote: Hello, link: Link, over: (reason: unknown) => void): Session {
    const { metrics, hello } = this.#options;
    const session = new Session({
      local: hello,
      remote,
      // Streams on the old carrier end in their own time; new ones get a new session.
      draining: () => over(new CarrierError("ERR_PEER_GOAWAY", "The edge asked to be left")),
      closed: (reason) => {
        this.#sessions.delete(session);
        metrics.carrierFailed(reason);
        over(reason);
      },
    });
    session.attach(link);
    this.#sessions.add(session);
    return session;
  }
}
