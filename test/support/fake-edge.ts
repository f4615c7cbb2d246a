import type { Dial } from "../../protocol/uplink.ts";
import { CarrierError } from "../../protocol/errors.ts";
import type { Hello } from "../../protocol/hello.ts";
import { Link } from "../../protocol/link.ts";
import { type IncomingStream, Session } from "../../protocol/session.ts";
import { type CarrierPair, carrierPair } from "./carrier-pair.ts";
import type { FakeClock } from "./fake-clock.ts";
import { helloWith } from "./session-pair.ts";

/**
 * How the edge takes the next dial: with a session, with a WebSocket but no HELLO, with a refusal,
 * with an error, or not at all until the dial is given up.
 */
export type Mood = "answers" | "says nothing" | "refuses" | "is out of reach" | "hangs";

/** An edge to dial: each carrier that it takes is a session of its own. */
export class FakeEdge {
  readonly #clock: FakeClock;
  mood: Mood = "answers";
  /** What its HELLO says beside the usual. */
  hello: Partial<Hello> = {};
  /** How long a message is under way to it or from it. */
  delayMs = 0;
  /** Called when a carrier is there, before the dial is told. */
  onDialled: () => void = () => {};
  /** When it was dialled, in milliseconds of the clock. */
  readonly dialledAt: number[] = [];
  readonly carriers: CarrierPair[] = [];
  readonly sessions: Session[] = [];
  /** Streams that it was asked for. */
  readonly incoming: IncomingStream[] = [];

  constructor(clock: FakeClock) {
    this.#clock = clock;
  }

  readonly dial: Dial = async (signal) => {
    this.dialledAt.push(this.#clock.now());
    await Promise.resolve();
    if (this.mood === "refuses") throw new CarrierError("ERR_ADMISSION", "it answered 404");
    if (this.mood === "is out of reach")
      throw new CarrierError("ERR_CARRIER_LOST", "connect ECONNREFUSED");
    if (this.mood === "hangs") await rejection(signal);
    const carriers = carrierPair(this.#clock, () => this.delayMs);
    this.carriers.push(carriers);
    if (this.mood === "answers") this.greet(carriers);
    this.onDialled();
    return carriers.left;
  };

  /** Begins a session on a carrier. */
  greet(carriers: CarrierPair): void {
    new Link(
      {
        clock: this.#clock,
        speaksFirst: false,
        hello: () => helloWith({ runtime: "fake", ...this.hello }),
        greet: (remote, link) => {
          const session = new Session({
            clock: this.#clock,
            local: helloWith(),
            remote,
            accept: (stream) => void this.incoming.push(stream),
            closed: () => {},
          });
          session.attach(link, 1);
          this.sessions.push(session);
          return session;
        },
        failed: () => {},
      },
      carriers.right,
    );
  }
}

function rejection(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener("abort", () =>
      reject(new CarrierError("ERR_CARRIER_LOST", "given up")),
    );
  });
}
