import type { Clock } from "./clock.ts";
import type { CarrierError, ProtocolError } from "./errors.ts";
import type { Hello } from "./hello.ts";
import type { Link } from "./link.ts";
import type { PayloadMemory } from "./payload-memory.ts";
import type { IncomingStream } from "./session.ts";

/** Whom a session is for, and whom it tells what becomes of it. */
export interface SessionOptions {
  readonly clock: Clock;
  /** What each end said of itself; the limits in them hold for the life of the session. */
  readonly local: Hello;
  readonly remote: Hello;
  /** Bytes that a session may hold while it has no carrier, and keep to send them again. */
  readonly resumeMemory?: number;
  /** Where payloads wait for their readers: sessions may share it. */
  readonly memory?: PayloadMemory;
  /** The edge's door; an end without it (the agent) takes no OPEN. */
  readonly accept?: (incoming: IncomingStream) => void;
  /** A link asks to be left; new streams need another session or link. */
  readonly draining?: (drainMs: number) => void;
  /** A link is gone, and the session waits for another or goes on on those it has. */
  readonly lost?: (reason: CarrierError, link: Link) => void;
  /** The session is over, and with it every stream. */
  readonly closed: (reason: CarrierError | ProtocolError) => void;
}
