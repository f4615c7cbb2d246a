import { emptyHello, type Hello } from "../../protocol/hello.ts";
import { Link } from "../../protocol/link.ts";
import { type IncomingStream, Session } from "../../protocol/session.ts";
import { Capability } from "../../protocol/wire.ts";
import { type CarrierPair, carrierPair } from "./carrier-pair.ts";
import { FakeClock } from "./fake-clock.ts";

/** All that an edge may say it relays. */
const EVERYTHING = Object.values(Capability).reduce((all, bit) => all | bit, 0);

/** A HELLO with small, round windows; `changes` replaces fields. */
export function helloWith(changes: Partial<Hello> = {}): Hello {
  return {
    ...emptyHello,
    streamWindow: 1000,
    sessionWindow: 4000,
    carrierWindow: 2000,
    maxStreams: 8,
    maxCarriers: 4,
    ...changes,
  };
}

/** An agent's and an edge's session over an in-memory carrier. */
export interface SessionPair {
  readonly clock: FakeClock;
  readonly carriers: CarrierPair;
  readonly agent: Session;
  readonly edge: Session;
  readonly agentLink: Link;
  readonly edgeLink: Link;
  /** Streams the edge was asked for. */
  readonly incoming: IncomingStream[];
  /** Why each side's session ended, once it has. */
  readonly ended: { agent?: Error; edge?: Error };
}

/** Both ends, greeted and ready. A message is under way for `delayMs`. */
export async function sessionPair(
  agentHello: Hello = helloWith(),
  edgeHello: Hello = helloWith({ capabilities: EVERYTHING }),
  delayMs = 0,
): Promise<SessionPair> {
  const clock = new FakeClock();
  const carriers = carrierPair(clock, () => delayMs);
  const incoming: IncomingStream[] = [];
  const ended: SessionPair["ended"] = {};
  let agent: Session | undefined;
  let edge: Session | undefined;
  const failed = (reason: Error): void => {
    throw reason;
  };
  const edgeLink = new Link(
    {
      clock,
      speaksFirst: false,
      hello: () => edgeHello,
      greet: (remote, link) => {
        edge = new Session({
          clock,
          local: edgeHello,
          remote,
          accept: (stream) => void incoming.push(stream),
          closed: (reason) => (ended.edge = reason),
        });
        edge.attach(link, 1);
        return edge;
      },
      failed,
    },
    carriers.right,
  );
  const agentLink = new Link(
    {
      clock,
      speaksFirst: true,
      hello: () => agentHello,
      greet: (remote, link) => {
        agent = new Session({
          clock,
          local: agentHello,
          remote,
          closed: (reason) => (ended.agent = reason),
        });
        agent.attach(link, agent.carriers.next());
        return agent;
      },
      failed,
    },
    carriers.left,
  );
  await clock.advance(2 * delayMs);
  if (!agent || !edge) throw new Error("The ends have not greeted each other");
  return { clock, carriers, agent, edge, agentLink, edgeLink, incoming, ended };
}
