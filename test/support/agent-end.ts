import type { Bridge } from "../../edge-worker/bridge.ts";
import type { Clock } from "../../protocol/clock.ts";
import type { CarrierError, ProtocolError } from "../../protocol/errors.ts";
import { decodeFrames, type Frame } from "../../protocol/frame.ts";
import type { Hello } from "../../protocol/hello.ts";
import { Link } from "../../protocol/link.ts";
import { Session } from "../../protocol/session.ts";
import { type CarrierPair, carrierPair } from "./carrier-pair.ts";
import { helloWith } from "./session-pair.ts";

/** The agent's end of one carrier to a bridge. Its fields fill in as the clock runs. */
export interface AgentEnd {
  readonly carriers: CarrierPair;
  readonly link: Link;
  /** What the edge said of itself, and the session this carrier serves, once greeted. */
  hello?: Hello;
  session?: Session;
  /** Why the carrier ended before there was a session, or the session's end. */
  failure?: CarrierError | ProtocolError;
  /** How much time the edge left us when it asked us to go. */
  drainMs?: number;
}

/** Whose agents these are. */
const USER = "test";

/** Brings a carrier to a bridge; `joined` is the session that it joins, by the token of `hello`. */
export function connectAgent(
  clock: Clock,
  bridge: Bridge,
  hello: Partial<Hello> = {},
  joined?: Session,
  user = USER,
): AgentEnd {
  const carriers = carrierPair(clock);
  bridge.accept(user, carriers.right);
  const carrier = joined?.carriers.next() ?? 1;
  const local = helloWith({ maxStreams: 0, resumeWindow: 60, carrier, ...hello });
  const failed = (reason: CarrierError | ProtocolError): void => void (end.failure = reason);
  const begin = (remote: Hello): Session =>
    new Session({
      clock,
      local,
      remote,
      draining: (drainMs) => (end.drainMs = drainMs),
      closed: failed,
    });
  const link = new Link(
    {
      clock,
      speaksFirst: true,
      hello: () => local,
      greet: (remote, attached) => {
        end.hello = remote;
        end.session = joined ?? begin(remote);
        end.session.attach(attached, carrier);
        return end.session;
      },
      failed,
    },
    carriers.left,
  );
  const end: AgentEnd = { carriers, link };
  return end;
}

/** Brings a carrier to a bridge that says nothing. */
export function connectSilently(clock: Clock, bridge: Bridge): { closed: number[] } {
  const carriers = carrierPair(clock);
  const closed: number[] = [];
  carriers.left({ message: () => {}, closed: (code) => void closed.push(code) });
  bridge.accept(USER, carriers.right);
  return { closed };
}

/** The frames of messages that one end sent. */
export function framesOf(messages: readonly Uint8Array[]): Frame[] {
  return messages.flatMap((message) => [...decodeFrames(message)]);
}
