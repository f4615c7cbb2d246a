import type { Carrier, CarrierEvents } from "../protocol/carrier.ts";
import { type CarrierError, messageOf, ProtocolError } from "../protocol/errors.ts";
import type { Hello } from "../protocol/hello.ts";
import { Link } from "../protocol/link.ts";
import { MessageMemory } from "../protocol/message-memory.ts";
import { PayloadMemory } from "../protocol/payload-memory.ts";
import { Session } from "../protocol/session.ts";
import { GoAwayReason } from "../protocol/wire.ts";
import { DialQueue } from "./egress/dial-queue.ts";
import { serveStream } from "./services/serve-stream.ts";
import type { ServiceContext } from "./services/service.ts";
import { type Redeemed, SessionTokens } from "./session-tokens.ts";
import type { Users } from "./users/users.ts";

export interface BridgeOptions extends Omit<
  ServiceContext,
  "tenant" | "caller" | "notes" | "lookups"
> {
  readonly users: Pick<Users, "find">;
  readonly hello: Omit<Hello, "session">;
  /** Bytes that one session may hold while it waits for a carrier. */
  readonly resumeMemory: number;
}

/** How late the end of a key may be noticed, on sessions that go on beyond it. */
const EXPIRY_POLL_MS = 60_000;
/** Names that may be looked up at once for RESOLVE; more wait for their turn. */
const MAX_LOOKUPS = 16;
/** Sessions that may wait for a carrier at once, and how many times the memory of one they may hold. */
const MAX_WAITING = 256;
const WAITING_SHARES = 2;
/** To agents, who show it to people. */
const STOPPING = "The edge is stopping";

/**
 * The edge's side of its agents: joins carriers into sessions and serves each stream that an
 * agent opens. One class for both platforms; sockets come in through `Egress` and `Carrier`.
 */
export class Bridge {
  readonly #options: BridgeOptions;
  /** Each session and whose it is. */
  readonly #sessions = new Map<Session, string>();
  readonly #tokens = new SessionTokens<Session, Link>();
  /** Carriers whose agent has not said HELLO yet. */
  readonly #greeting = new Set<Link>();
  /** Sessions without a carrier, the oldest first. */
  readonly #waiting = new Set<Session>();
  readonly #memory = new PayloadMemory();
  readonly #messageMemory = new MessageMemory();
  readonly #lookups = new DialQueue(MAX_LOOKUPS);
  /** When those who were asked to leave are to have left; undefined while nobody was. */
  #drainsUntil: number | undefined;

  constructor(options: BridgeOptions) {
    this.#options = options;
  }

  get sessionCount(): number {
    return this.#sessions.size;
  }

  /** Sessions without a carrier, whose agents will come back if they can. */
  get waitingCount(): number {
    return this.#waiting.size;
  }

  /** Takes a carrier of `user`, who was admitted; `open` starts it. */
  accept(user: string, open: (events: CarrierEvents) => Carrier): void {
    const { clock, log } = this.#options;
    let token: Uint8Array = new Uint8Array();
    const link = new Link(
      {
        clock,
        memory: this.#messageMemory,
        speaksFirst: false,
        hello: () => ({ ...this.#options.hello, session: token }),
        greet: (hello, link) => {
          this.#greeting.delete(link);
          const joined = this.#sessionFor(user, hello, link);
          ({ token } = joined);
          // A key that ended in the meantime ends its session as it begins.
          if (joined.session.isOver) throw unknownSession();
          // An agent that was not answered, and dials again; or somebody has its token.
          joined.rival?.lose("Another carrier joined by its token");
          joined.session.makeRoom();
          joined.session.attach(link, hello.carrier);
          this.#waiting.delete(joined.session);
          // Behind our HELLO.
          if (this.#drainsUntil !== undefined) clock.defer(() => this.#sendAway(link));
          return joined.session;
        },
        failed: (reason) => {
          this.#greeting.delete(link);
          log.warn("A carrier ended before its session began", because(reason));
        },
      },
      open,
    );
    this.#greeting.add(link);
  }

  /**
   * Asks every agent to leave within `drainMs`. Nobody new is taken; who is away, or loses its carrier
   * meanwhile, may come back for the streams it has.
   */
  drain(drainMs: number): void {
    this.#drainsUntil = this.#options.clock.now() + drainMs;
    // Who has not said HELLO cannot be asked, and finds another edge as well as a new one.
    for (const link of this.#greeting) link.close(STOPPING);
    for (const session of this.#sessions.keys()) session.drain(drainMs, STOPPING);
    for (const session of this.#waiting) this.#closeIfDone(session);
  }

  #closeIfDone(session: Session): void {
    if (session.streamCount === 0) session.close(STOPPING);
  }

  #sendAway(link: Link): void {
    const leftMs = (this.#drainsUntil ?? 0) - this.#options.clock.now();
    link.drain(Math.max(0, Math.ceil(leftMs)), STOPPING);
  }

  /** Ends the sessions of users who are users no more. */
  evict(): void {
    for (const [session, user] of this.#sessions) {
      if (!this.#options.users.find(user)) session.close("The key has ended");
    }
  }

  /** Ends every session and carrier now. */
  close(): void {
    for (const link of this.#greeting) link.close("The edge has stopped");
    for (const session of this.#sessions.keys()) session.close("The edge has stopped");
  }

  #sessionFor(user: string, hello: Hello, link: Link): Redeemed<Session, Link> {
    const isLeaving = this.#drainsUntil !== undefined;
    if (hello.session.length === 0 && !isLeaving) return this.#begin(user, hello);
    const joined = this.#tokens.redeem(hello.session, user, link);
    // A session that cannot be resumed has but one carrier, and its token is good for nothing.
    const isKnown = joined?.session.isResumable;
    if (isLeaving && !(isKnown && this.#waiting.has(joined.session))) throw stopping();
    if (isKnown) return joined;
    throw unknownSession();
  }

  #begin(user: string, hello: Hello): Redeemed<Session, Link> {
    const { log, clock, tally, users, resumeMemory } = this.#options;
    const egress = this.#options.egress.forUser?.(user) ?? this.#options.egress;
    const lookups = this.#lookups;
    const context = { ...this.#options, egress, lookups, notes: { latestBound: undefined } };
    let unwatch = (): void => {};
    const session: Session = new Session({
      clock,
      local: { ...this.#options.hello, session: new Uint8Array() },
      remote: hello,
      resumeMemory,
      memory: this.#memory,
      accept: (incoming) => {
        void serveStream(incoming, { ...context, tenant: users.find(user), caller: session });
      },
      lost: (reason) => this.#lost(session, reason),
      closed: (reason) => {
        unwatch();
        // A Durable Object may not live much longer.
        users.find(user)?.account.save();
        this.#ended(session, reason);
      },
    });
    this.#sessions.set(session, user);
    unwatch = this.#watchExpiry(user, () => session.close("The key has ended"));
    tally.sessionsBegun++;
    log.info("A session began", { sessions: this.#sessions.size });
    return { session, token: this.#tokens.begin(session, user), rival: undefined };
  }

  /** Calls back once the key of `user` is no longer good, if it has an end at all. */
  #watchExpiry(user: string, ended: () => void): () => void {
    const { clock, users } = this.#options;
    let cancel = (): void => {};
    const watch = (): void => {
      const tenant = users.find(user);
      if (!tenant) return ended();
      if (tenant.expiresAt !== Infinity) cancel = clock.after(EXPIRY_POLL_MS, watch);
    };
    watch();
    return () => cancel();
  }

  #lost(session: Session, reason: CarrierError): void {
    if (session.linkCount > 0) return;
    this.#options.log.info("A session waits for a carrier", because(reason));
    this.#waiting.add(session);
    if (this.#drainsUntil !== undefined) this.#closeIfDone(session);
    this.#limitWaiting();
  }

  /** Those who wait must not crowd out those who work: the oldest goes first. */
  #limitWaiting(): void {
    const { resumeMemory } = this.#options;
    let held = 0;
    for (const session of this.#waiting) held += session.held;
    for (const session of this.#waiting) {
      if (this.#waiting.size <= MAX_WAITING && held <= resumeMemory * WAITING_SHARES) return;
      held -= session.held;
      session.close("Too many sessions wait for a carrier");
    }
  }

  #ended(session: Session, reason: CarrierError | ProtocolError): void {
    const { log, tally } = this.#options;
    this.#sessions.delete(session);
    this.#waiting.delete(session);
    this.#tokens.end(session);
    if (!(reason instanceof ProtocolError)) return log.info("A session ended", because(reason));
    const violations = ++tally.violations;
    log.warn("A session ended by a breach of the protocol", { ...because(reason), violations });
  }
}

function stopping(): ProtocolError {
  const goAway = GoAwayReason.Overloaded;
  return new ProtocolError("ERR_FRAME_STATE", STOPPING, { goAway });
}

function unknownSession(): ProtocolError {
  const goAway = GoAwayReason.NoSuchSession;
  const text = "Cannot join the session: it is not known";
  return new ProtocolError("ERR_FRAME_STATE", text, { goAway });
}

function because(error: unknown): { reason: string } {
  return { reason: messageOf(error) };
}
