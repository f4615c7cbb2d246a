import { ByteWriter } from "./bytes.ts";
import { type Carrier, type CarrierEvents, HEAD_ROOM } from "./carrier.ts";
import type { Cancel, Clock } from "./clock.ts";
import { CarrierError, messageOf, ProtocolError } from "./errors.ts";
import {
  appendFrame,
  decodeFrames,
  type Frame,
  isSessionFrame,
  type ResumeEntry,
} from "./frame.ts";
import type { Hello } from "./hello.ts";
import { KeepAlive } from "./keep-alive.ts";
import type { MessageMemory } from "./message-memory.ts";
import { Outbox, type OutboxHost } from "./outbox.ts";
import type { CarrierLoad } from "./pool.ts";
import { RoundTrip } from "./round-trip.ts";
import type { DatagramFrame, Stream, StreamPort } from "./stream.ts";
import { CloseCode, FrameType, GoAwayReason, PROTOCOL_VERSION } from "./wire.ts";

/** What a link asks of the session it carries. */
export interface LinkHost extends OutboxHost {
  handle(frame: Frame, link: Link): void;
  /** Bytes of any stream have left our memory. */
  consumed(bytes: number): void;
  streamClosed(stream: Stream): void;
  /** The peer asks that this link be left within `drainMs`. */
  draining(link: Link, drainMs: number): void;
  closed(link: Link, reason: CarrierError | ProtocolError): void;
}

export interface LinkOptions {
  readonly clock: Clock;
  /** Bytes of datagrams that may wait to be sent; undefined for what DatagramQueue thinks right. */
  readonly datagramBytes?: number | undefined;
  /** Memory of messages, which other links may share. */
  readonly memory?: MessageMemory;
  /** What we say of ourselves; `session` may depend on the peer's HELLO, so this is asked then. */
  readonly hello: () => Hello;
  /** Agent: what goes out behind HELLO without waiting for the edge's. */
  readonly behind?: (link: Link) => Frame | undefined;
  /** The agent speaks first; the edge answers once it has read the agent's HELLO. */
  readonly speaksFirst: boolean;
  /** Finds or makes the session, once the peer has said HELLO. @throws ProtocolError to refuse */
  readonly greet: (hello: Hello, link: Link) => LinkHost;
  /** The carrier ended before any session had it. */
  readonly failed: (reason: CarrierError | ProtocolError) => void;
}

/** The peer must have said HELLO by then. */
const HELLO_TIMEOUT_MS = 10_000;

/**
 * One carrier of a session: greets, takes frames apart for the session, and notices when the
 * carrier is dead. What goes out is the business of its outbox.
 */
export class Link implements StreamPort, CarrierEvents {
  readonly #options: LinkOptions;
  readonly #carrier: Carrier;
  readonly #keepAlive: KeepAlive;
  readonly #roundTrip = new RoundTrip();
  readonly #beganAt: number;
  readonly #outbox: Outbox;
  #host: LinkHost | undefined;
  #isDraining = false;
  /** Something was said behind HELLO that asks for an answer. */
  #hasAsked = false;
  #isClosed = false;
  #helloTimer: Cancel;

  /** `open` starts the carrier with this link as its events. */
  constructor(options: LinkOptions, open: (events: CarrierEvents) => Carrier) {
    this.#options = options;
    this.#beganAt = options.clock.now();
    this.#carrier = open(this);
    const { clock, datagramBytes, memory } = options;
    const actions = {
      send: (message: Uint8Array<ArrayBuffer>, done: () => void) =>
        this.#carrier.send(message, done),
      leavesBytes: () => this.#carrier.leavesBytes === true,
      traffic: () => this.#keepAlive.traffic(),
      overflow: () => this.#overload("Too many frames without an ACK"),
    };
    const roundTrip = this.#roundTrip;
    this.#outbox = new Outbox({ clock, roundTrip, actions, datagramBytes, memory });
    this.#keepAlive = new KeepAlive(options.clock, {
      pings: options.speaksFirst,
      ping: (stamp) => this.control({ type: FrameType.Ping, stamp }),
      dead: (silentMs) => {
        this.lose(`Nothing was heard for ${Math.round(silentMs / 1000)} s`);
      },
      unanswered: (sinceMs) => {
        this.lose(`No ping was answered for ${Math.round(sinceMs / 1000)} s`);
      },
    });
    this.#helloTimer = options.clock.after(HELLO_TIMEOUT_MS, () => {
      const text = "The other side did not say HELLO in time";
      this.#end(CloseCode.ProtocolError, new CarrierError("ERR_CARRIER_LOST", text));
    });
    if (options.speaksFirst) this.#greetFirst();
  }

  /** For how long nothing was heard. */
  get silentMs(): number {
    return this.#keepAlive.silentMs;
  }

  /** The least round trip of late, in milliseconds; undefined when none was measured. */
  get roundTripMs(): number | undefined {
    return this.#roundTrip.minMs;
  }

  /** What it has done and has to do, for whoever chooses among links. */
  get load(): CarrierLoad {
    return { ...this.#outbox.load, roundTripMs: this.roundTripMs };
  }

  /** Whether new streams belong elsewhere. */
  get isDraining(): boolean {
    return this.#isDraining || this.#isClosed;
  }

  /** Frames of the session that arrived here, whether or not the carrier is still there. */
  get received(): number {
    return this.#outbox.received;
  }

  /** Bytes that are kept to be sent again if the carrier is lost. */
  get retained(): number {
    return this.#outbox.retained;
  }

  control(frame: Frame): void {
    if (!this.#outbox.control(frame)) this.#overload("Too many frames at once");
  }

  ready(stream: Stream): void {
    this.#outbox.ready(stream);
  }

  grantDue(stream: Stream): void {
    this.#outbox.grantDue(stream);
  }

  datagram(frame: DatagramFrame): boolean {
    return this.#outbox.datagram(frame);
  }

  consumed(bytes: number): void {
    this.#host?.consumed(bytes);
  }

  streamClosed(stream: Stream): void {
    this.#outbox.forget(stream);
    this.#host?.streamClosed(stream);
  }

  closed(code: number, reason: string): void {
    const text = `The carrier closed (${code}${reason === "" ? "" : ` ${JSON.stringify(reason)}`})`;
    this.#end(CloseCode.Normal, new CarrierError("ERR_CARRIER_LOST", text));
  }

  /** The session owes a CREDIT, or has got one: somebody may go on. */
  wake(isGrantDue = false): void {
    this.#outbox.wake(isGrantDue);
  }

  /** Says what was received on carriers that are lost. */
  resume(entries: readonly ResumeEntry[]): void {
    this.control({ type: FrameType.Resume, entries });
    // Streams wait for the answer: whether this carrier is dead as well must not take an idle ping.
    this.#keepAlive.traffic();
  }

  /** Goes on where `lost` ended, of which the peer has received so many frames. */
  absorb(lost: Link, received: number): void {
    this.#outbox.absorb(lost.#outbox, received);
  }

  /** Finds out at once whether the carrier is still there: the network has changed. */
  probe(): void {
    if (!this.#isClosed) this.#keepAlive.probe();
  }

  /** The carrier is of no use any more, whatever it says itself. */
  lose(text: string): void {
    this.#end(CloseCode.PingTimeout, new CarrierError("ERR_CARRIER_LOST", text));
  }

  /** Asks the peer to leave this carrier within `drainMs`. */
  drain(drainMs: number, text: string): void {
    this.#isDraining = true;
    // Frames of the carrier go first in a message: an OPEN must not come behind this one.
    this.#outbox.flush();
    this.control({ type: FrameType.GoAway, reason: GoAwayReason.Drain, drainMs, text });
  }

  /** Ends the carrier without blame. */
  close(text: string): void {
    this.#outbox.flush();
    this.#end(CloseCode.Normal, new CarrierError("ERR_CARRIER_LOST", text));
  }

  /** Ends the carrier and its session: the other side has nothing to resume. */
  leave(text: string): void {
    const reason = GoAwayReason.SessionOver;
    this.#outbox.flush();
    if (!this.#isClosed) this.#sayLast({ type: FrameType.GoAway, reason, drainMs: 0, text });
    this.#end(CloseCode.Normal, new CarrierError("ERR_CARRIER_LOST", text));
  }

  message(bytes: Uint8Array): void {
    if (this.#isClosed) return;
    this.#keepAlive.heard();
    try {
      for (const frame of decodeFrames(bytes)) {
        if (isSessionFrame(frame)) this.#keepAlive.traffic();
        this.#handle(frame);
        if (this.#isClosed) return;
      }
    } catch (error) {
      this.#fail(error);
    }
  }

  #handle(frame: Frame): void {
    if (!this.#host) return this.#handleHello(frame);
    switch (frame.type) {
      case FrameType.Hello:
        throw new ProtocolError("ERR_FRAME_STATE", "Cannot take HELLO twice");
      case FrameType.Ping:
        return this.#answerPing(frame.stamp);
      case FrameType.Pong:
        return this.#time(this.#keepAlive.answered(frame.stamp));
      case FrameType.Ack:
        return this.#outbox.acknowledged(frame.received, frame.frames);
      case FrameType.GoAway:
        return this.#handleGoAway(frame);
      case FrameType.Resume:
        return this.#host.handle(frame, this);
      default:
        this.#outbox.arrived(frame);
        return this.#host.handle(frame, this);
    }
  }

  #handleHello(frame: Frame): void {
    // An edge that refuses a HELLO says why in GOAWAY instead of a HELLO of its own.
    if (frame.type === FrameType.GoAway) return this.#handleGoAway(frame);
    if (frame.type !== FrameType.Hello) {
      throw new ProtocolError("ERR_FRAME_STATE", "Cannot take a frame before HELLO");
    }
    const { hello } = frame;
    if (hello.version !== PROTOCOL_VERSION) {
      const text = `Cannot speak version ${hello.version}: this is version ${PROTOCOL_VERSION}`;
      throw new ProtocolError("ERR_VERSION", text, { goAway: GoAwayReason.VersionMismatch });
    }
    this.#helloTimer();
    if (this.#options.speaksFirst) this.#time(this.#options.clock.now() - this.#beganAt);
    this.#host = this.#options.greet(hello, this);
    if (!this.#options.speaksFirst) this.#outbox.sayHello(this.#options.hello());
    this.#outbox.open(this.#host, hello.carrierWindow);
    if (this.#host.retainedLimit > 0) this.#keepAlive.beQuick();
    if (this.#hasAsked) this.#keepAlive.traffic();
  }

  #time(elapsedMs: number): void {
    this.#roundTrip.add(elapsedMs, this.#options.clock.now());
  }

  #handleGoAway(frame: Extract<Frame, { type: typeof FrameType.GoAway }>): void {
    if (frame.reason === GoAwayReason.Drain && this.#host) {
      this.#isDraining = true;
      this.#host.draining(this, frame.drainMs);
      return;
    }
    const text = `The other side gave up (${frame.reason} ${JSON.stringify(frame.text)})`;
    const isUnknown = frame.reason === GoAwayReason.NoSuchSession;
    const code = isUnknown ? "ERR_NO_SESSION" : "ERR_PEER_GOAWAY";
    this.#end(CloseCode.Normal, new CarrierError(code, text));
  }

  /** One PONG a turn: a flood of PINGs costs the flooder more than us. */
  #answerPing(stamp: Uint8Array): void {
    this.#outbox.dropLastPong();
    this.control({ type: FrameType.Pong, stamp: stamp.slice() });
  }

  /** The peer broke the protocol, or we did: say so, then end the carrier. */
  #fail(error: unknown): void {
    const reason =
      error instanceof ProtocolError
        ? error
        : new ProtocolError("ERR_FRAME_STATE", messageOf(error), { cause: error });
    if (this.#isClosed) return;
    const { goAway, message: text } = reason;
    this.#sayLast({ type: FrameType.GoAway, reason: goAway, drainMs: 0, text });
    this.#end(CloseCode.ProtocolError, reason);
  }

  #overload(text: string): void {
    this.#fail(new ProtocolError("ERR_FRAME_STATE", text, { goAway: GoAwayReason.Overloaded }));
  }

  /** Sends a GOAWAY behind all that was sent. */
  #sayLast(frame: Frame): void {
    const writer = new ByteWriter(undefined, HEAD_ROOM);
    appendFrame(writer, frame);
    this.#carrier.send(writer.take(), () => {});
  }

  #greetFirst(): void {
    this.#outbox.sayHello(this.#options.hello());
    const frame = this.#options.behind?.(this);
    this.#hasAsked = frame !== undefined;
    if (frame) this.control(frame);
  }

  #end(code: number, reason: CarrierError | ProtocolError): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#helloTimer();
    this.#keepAlive.stop();
    this.#outbox.stop();
    this.#carrier.close(code, "");
    if (this.#host) this.#host.closed(this, reason);
    else this.#options.failed(reason);
  }
}
