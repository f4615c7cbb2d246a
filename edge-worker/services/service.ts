import type { Address } from "../../protocol/address.ts";
import type { Clock } from "../../protocol/clock.ts";
import { StreamError } from "../../protocol/errors.ts";
import type { Log } from "../../protocol/log.ts";
import type { IncomingStream } from "../../protocol/session.ts";
import type { Stream } from "../../protocol/stream.ts";
import type { DialQueue } from "../egress/dial-queue.ts";
import type { Egress } from "../egress/egress.ts";
import type { Tally } from "../tally.ts";
import type { Tenant } from "../users/users.ts";

/** What the streams of one session know of each other. */
export interface SessionNotes {
  /** Our end of the latest connection: FTP's active mode has a BIND that belongs to it. */
  latestBound: Address | undefined;
}

/** What serving a stream needs. */
export interface ServiceContext {
  readonly clock: Clock;
  readonly log: Log;
  readonly tally: Tally;
  /** Whose stream it is. */
  readonly tenant: Tenant;
  readonly egress: Egress;
  readonly connectTimeoutMs: number;
  /** Whose stream it is: its dials wait in one line. */
  readonly caller: object;
  readonly notes: SessionNotes;
  /** Where lookups of all sessions wait for their turn: not every platform can end one. */
  readonly lookups: DialQueue;
}

/** Serves one command: confirms the stream and works for it to its end. @throws what refuses it */
export type Service = (incoming: IncomingStream, context: ServiceContext) => Promise<void>;

/** The reason to stop when an agent has taken its stream back. */
export function takenBack(): StreamError {
  return new StreamError("cancelled", "The agent took the stream back");
}

/** Aborts when the stream fails: whoever works for it stops. */
export function endingOf(stream: Stream): AbortController {
  const ending = new AbortController();
  stream.onceFailed(() => ending.abort(takenBack()));
  return ending;
}

/** What a service throws when the platform cannot do it. */
export function unsupported(what: string): StreamError {
  return new StreamError("command-unsupported", `This edge does not serve ${what}`);
}
