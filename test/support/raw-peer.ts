import type { CarrierError, ProtocolError } from "../../protocol/errors.ts";
import { decodeFrames, type Frame } from "../../protocol/frame.ts";
import type { Hello } from "../../protocol/hello.ts";
import { Link } from "../../protocol/link.ts";
import { type IncomingStream, Session } from "../../protocol/session.ts";
import { FrameType } from "../../protocol/wire.ts";
import { FakeClock } from "./fake-clock.ts";
import { encodeFrames } from "./frame-json.ts";
import { helloWith } from "./session-pair.ts";

/** The far end of one link, played by the test: it says what it likes and sees every frame. */
export class RawPeer {
  readonly clock = new FakeClock();
  readonly link: Link;
  /** Messages of the link, in order. */
  readonly messages: Uint8Array[] = [];
  /** Streams that the link's session was asked for. */
  readonly incoming: IncomingStream[] = [];
  /** What each GOAWAY(Drain) gave, in milliseconds. */
  readonly drains: number[] = [];
  /** The HELLO that greeted the link, once it has. */
  greeting: Hello | undefined;
  /** Why the carrier ended, once it has. */
  ended: CarrierError | ProtocolError | undefined;
  closeCode: number | undefined;
  #session: Session | undefined;
  #heard = 0;

  /** `role` is what the link plays; an agent says `behind` with its HELLO. */
  constructor(role: "agent" | "edge", local: Hello = helloWith(), behind?: Frame) {
    const end = (reason: CarrierError | ProtocolError): void => {
      this.ended = reason;
    };
    this.link = new Link(
      {
        clock: this.clock,
        speaksFirst: role === "agent",
        hello: () => local,
        behind: () => behind,
        greet: (remote, link) => {
          this.greeting = remote;
          const accept = (incoming: IncomingStream): void => void this.incoming.push(incoming);
          const serving = role === "edge" ? { accept } : {};
          const draining = (drainMs: number): void => void this.drains.push(drainMs);
          this.#session = new Session({
            clock: this.clock,
            local,
            remote,
            closed: end,
            draining,
            ...serving,
          });
          this.#session.attach(link, 1);
          return this.#session;
        },
        failed: end,
      },
      (events) => ({
        send: (message, done) => {
          this.messages.push(message.slice());
          // Whoever still looks at it is caught.
          message.fill(0xee);
          done();
        },
        close: (code) => {
          this.closeCode ??= code;
          this.clock.defer(() => events.closed(code, ""));
        },
      }),
    );
  }

  /** A peer of a link that has been greeted; what it said to that has been heard. */
  static async greeted(
    role: "agent" | "edge",
    local = helloWith(),
    remote = helloWith(),
  ): Promise<RawPeer> {
    const peer = new RawPeer(role, local);
    await peer.tell({ type: FrameType.Hello, hello: remote });
    peer.heard();
    return peer;
  }

  get session(): Session {
    if (!this.#session) throw new Error("The link was not greeted");
    return this.#session;
  }

  /** Sends these frames as one message, and lets the link act on them. */
  tell(...frames: readonly Frame[]): Promise<void> {
    return this.tellBytes(encodeFrames(...frames));
  }

  async tellBytes(message: Uint8Array): Promise<void> {
    await this.clock.run();
    this.link.message(message);
    await this.clock.run();
  }

  /** Frames that the link has sent since this was last asked. */
  heard(): Frame[] {
    const messages = this.messages.slice(this.#heard);
    this.#heard = this.messages.length;
    return messages.flatMap((message) => [...decodeFrames(message)]);
  }
}
