import type { Carrier, CarrierEvents } from "../protocol/carrier.ts";
import { messageOf, ProtocolError } from "../protocol/errors.ts";
import type { Hello } from "../protocol/hello.ts";
import { Link } from "../protocol/link.ts";
import { Session } from "../protocol/session.ts";
import { GoAwayReason } from "../protocol/wire.ts";
import { serveStream } from "./services/serve-stream.ts";
import type { ServiceContext } from "./services/service.ts";
import type { Users } from "./users/users.ts";

export interface BridgeOptions extends Omit<ServiceContext, "tenant" | "caller" | "notes"> {
  readonly users: Pick<Users, "find">;
  readonly hello: Omit<Hello, "session">;
}

/** A session and whose it is: nobody else may join it. */
interface Tenancy {
  readonly session: Session;
  readonly user: string;
}

const SESSION_TOKEN_LENGTH = 16;
/** How late the end of a key may be noticed, on sessions that go on beyond it. */
const EXPIRY_POLL_MS = 60_000;

/**
 * The edge's side of its agents: joins carriers into sessions and serves each stream that an
 * agent opens. One class for both platforms; sockets come in through `Egress` and `Carrier`.
 */
export class Bridge {
  readonly #options: BridgeOptions;
  readonly #sessions = new Map<string, Tenancy>();
  /** Carriers whose agent has not said HELLO yet. */
  readonly #greeting = new Set<Link>();

  constructor(options: BridgeOptions) {
    this.#options = options;
  }

  get sessionCount(): number {
    return this.#sessions.size;
  }

  /** Takes a carrier of `user`, who was admitted; `open` starts it. */
  accept(user: string, open: (events: CarrierEvents) => Carrier): void {
    const { clock, log } = this.#options;
    let token: Uint8Array = new Uint8Array();
    const link = new Link(
      {
        clock,
        speaksFirst: false,
        hello: () => ({ ...this.#options.hello, session: token }),
        greet: (hello, link) => {
          this.#greeting.delete(link);
          const joined = hello.session.length > 0;
          token = joined ? hello.session : newToken();
          return joined ? this.#join(user, hello, link) : this.#begin(user, hello, token, link);
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

  /** Asks every agent to leave within `drainMs`. */
  drain(drainMs: number): void {
    // Who has not said HELLO cannot be asked, and finds another edge as well as a new one.
    for (const link of this.#greeting) link.close("The edge is stopping");
    for (const { session } of this.#sessions.values()) {
      session.drain(drainMs, "The edge is stopping");
    }
  }

  /** Ends the sessions of users who are users no more. */
  evict(): void {
    for (const { session, user } of this.#sessions.values()) {
      if (!this.#options.users.find(user)) session.close("The key has ended");
    }
  }

  /** Ends every session and carrier now. */
  close(): void {
    for (const link of this.#greeting) link.close("The edge has stopped");
    for (const { session } of this.#sessions.values()) session.close("The edge has stopped");
  }

  #begin(user: string, hello: Hello, token: Uint8Array, link: Link): Session {
    const { log, tally, users } = this.#options;
    const key = hexOf(token);
    const egress = this.#options.egress.forUser?.(user) ?? this.#options.egress;
    const context = { ...this.#options, egress, notes: { latestBound: undefined } };
    const unwatch = this.#watchExpiry(user, () => session.close("The key has ended"));
    const session: Session = new Session({
      local: { ...this.#options.hello, session: token },
      remote: hello,
      accept: (incoming) => {
        void serveStream(incoming, { ...context, tenant: users.find(user), caller: session });
      },
      closed: (reason) => {
        unwatch();
        this.#sessions.delete(key);
        // A Durable Object may not live much longer.
        users.find(user)?.account.save();
        if (!(reason instanceof ProtocolError)) return log.info("A session ended", because(reason));
        const violations = ++tally.violations;
        log.warn("A session ended by a breach of the protocol", { ...because(reason), violations });
      },
    });
    this.#sessions.set(key, { session, user });
    session.attach(link);
    tally.sessionsBegun++;
    log.info("A session began", { sessions: this.#sessions.size });
    return session;
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

  #join(user: string, hello: Hello, link: Link): Session {
    const tenancy = this.#sessions.get(hexOf(hello.session));
    if (tenancy?.user !== user) {
      const goAway = GoAwayReason.NoSuchSession;
      throw new ProtocolError("ERR_FRAME_STATE", "Cannot join the session: it is not known", {
        goAway,
      });
    }
    const { session } = tenancy;
    if (session.linkCount >= this.#options.hello.maxCarriers) {
      const goAway = GoAwayReason.Overloaded;
      throw new ProtocolError("ERR_FRAME_STATE", "Cannot join the session: it is full", { goAway });
    }
    session.attach(link);
    return session;
  }
}

function because(error: unknown): { reason: string } {
  return { reason: messageOf(error) };
}

function newToken(): Uint8Array {
  return crypto.getRandomValues(new Uint8Array(SESSION_TOKEN_LENGTH));
}

function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
