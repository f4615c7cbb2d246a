import type { Carrier, CarrierEvents } from "../protocol/carrier.ts";
import { messageOf, ProtocolError } from "../protocol/errors.ts";
import type { Hello } from "../protocol/hello.ts";
import { Link } from "../protocol/link.ts";
import { Session } from "../protocol/session.ts";
import { GoAwayReason } from "../protocol/wire.ts";
import { serveStream } from "./services/serve-stream.ts";
import type { ServiceContext } from "./services/service.ts";

export interface BridgeOptions extends ServiceContext {
  readonly hello: Omit<Hello, "session">;
}

const SESSION_TOKEN_LENGTH = 16;

/**
 * The edge's side of its agents: joins carriers into sessions and serves each stream that an
 * agent opens. One class for both platforms; sockets come in through `Egress` and `Carrier`.
 */
export class Bridge {
  readonly #options: BridgeOptions;
  readonly #sessions = new Map<string, Session>();
  /** Carriers whose agent has not said HELLO yet. */
  readonly #greeting = new Set<Link>();
  /** Sessions that ended because their agent broke PROTOCOL.md. */
  #violations = 0;

  constructor(options: BridgeOptions) {
    this.#options = options;
  }

  get sessionCount(): number {
    return this.#sessions.size;
  }

  /** Takes a carrier that was admitted; `open` starts it. */
  accept(open: (events: CarrierEvents) => Carrier): void {
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
          return joined ? this.#join(hello, link) : this.#begin(hello, token, link);
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
    for (const session of this.#sessions.values()) session.drain(drainMs, "The edge is stopping");
  }

  /** Ends every session and carrier now. */
  close(): void {
    for (const link of this.#greeting) link.close("The edge has stopped");
    for (const session of this.#sessions.values()) session.close("The edge has stopped");
  }

  #begin(hello: Hello, token: Uint8Array, link: Link): Session {
    const { log } = this.#options;
    const key = hexOf(token);
    const session = new Session({
      local: { ...this.#options.hello, session: token },
      remote: hello,
      accept: (incoming) => void serveStream(incoming, this.#options),
      closed: (reason) => {
        this.#sessions.delete(key);
        if (!(reason instanceof ProtocolError)) return log.info("A session ended", because(reason));
        const violations = ++this.#violations;
        log.warn("A session ended by a breach of the protocol", { ...because(reason), violations });
      },
    });
    this.#sessions.set(key, session);
    session.attach(link);
    log.info("A session began", { sessions: this.#sessions.size });
    return session;
  }

  #join(hello: Hello, link: Link): Session {
    const session = this.#sessions.get(hexOf(hello.session));
    if (!session) {
      const goAway = GoAwayReason.NoSuchSession;
      throw new ProtocolError("ERR_FRAME_STATE", "Cannot join the session: it is not known", {
        goAway,
      });
    }
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
