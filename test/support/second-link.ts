import type { Hello } from "../../protocol/hello.ts";
import { Link } from "../../protocol/link.ts";
import type { CarrierPair } from "./carrier-pair.ts";
import { carrierPair } from "./carrier-pair.ts";
import { FakeClock } from "./fake-clock.ts";
import { helloWith, type SessionPair } from "./session-pair.ts";

/** One more carrier of a session. Its clock is its own: what it carries overtakes, or is late. */
export interface SecondLink {
  readonly clock: FakeClock;
  readonly carriers: CarrierPair;
  readonly agentLink: Link;
  readonly edgeLink: Link;
}

/** Joins both sessions of a pair over a second carrier, greeted and ready. */
export async function secondLink(
  pair: SessionPair,
  hello: Hello = helloWith(),
): Promise<SecondLink> {
  const clock = new FakeClock();
  const carriers = carrierPair(clock);
  const options = (speaksFirst: boolean): ConstructorParameters<typeof Link>[0] => ({
    clock,
    speaksFirst,
    hello: () => hello,
    greet: (_remote, link) => {
      const session = speaksFirst ? pair.agent : pair.edge;
      session.attach(link, 2);
      return session;
    },
    failed: (reason) => {
      throw reason;
    },
  });
  const edgeLink = new Link(options(false), carriers.right);
  const agentLink = new Link(options(true), carriers.left);
  await clock.run();
  return { clock, carriers, agentLink, edgeLink };
}
