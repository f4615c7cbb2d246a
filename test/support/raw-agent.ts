import { createDial } from "../../protocol/node/dial-carrier.ts";
import type { Admission } from "../../protocol/admission.ts";
import type { Hello } from "../../protocol/hello.ts";
import { Link } from "../../protocol/link.ts";
import { nodeClock } from "../../protocol/node/node-clock.ts";
import { Session } from "../../protocol/session.ts";
import { helloWith } from "./session-pair.ts";

/** An agent's session with a running edge, without a SOCKS port before it. */
export interface RawAgent {
  /** What the edge said of itself. */
  readonly hello: Hello;
  readonly session: Session;
  /** Resolves with the time that the edge leaves us once it asks us to go. */
  readonly drained: Promise<number>;
  /** Resolves once its WebSocket has closed. */
  readonly closed: Promise<void>;
  /** Ends the session; resolves once its WebSocket is closed. */
  close(): Promise<void>;
}

/** Connects to an edge by a real WebSocket. @throws what ends the carrier before it is greeted */
export async function connectRawAgent(edge: URL, admission: Admission): Promise<RawAgent> {
  const open = await createDial(edge, admission)(new AbortController().signal);
  const local = helloWith({ maxStreams: 0 });
  const greeted = Promise.withResolvers<Pick<RawAgent, "hello" | "session">>();
  const closed = Promise.withResolvers<void>();
  const drained = Promise.withResolvers<number>();
  new Link(
    {
      clock: nodeClock,
      speaksFirst: true,
      hello: () => local,
      greet: (hello, link) => {
        const session = new Session({
          clock: nodeClock,
          local,
          remote: hello,
          draining: drained.resolve,
          closed: () => closed.resolve(),
        });
        session.attach(link, 1);
        greeted.resolve({ hello, session });
        return session;
      },
      failed: greeted.reject,
    },
    open,
  );
  const { hello, session } = await greeted.promise;
  const close = (): Promise<void> => {
    session.close("The test is over");
    return closed.promise;
  };
  return { hello, session, drained: drained.promise, closed: closed.promise, close };
}
