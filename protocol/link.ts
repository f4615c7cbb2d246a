import { ByteWriter } from "./bytes.ts";
import type { Carrier, CarrierEvents } from "./carrier.ts";
import type { Cancel, Clock } from "./clock.ts";
import { ReceiveWindow, SendWindow } from "./credit.ts";
import { CarrierError, messageOf, ProtocolError } from "./errors.ts";
import { appendFrame, decodeFrames, type Frame } from "./frame.ts";
import type { Hello } from "./hello.ts";
import { KeepAlive } from "./keep-alive.ts";
import { MESSAGE_BYTES, MessageMemory, TURN_BYTES } from "./message-memory.ts";
import { Scheduler } from "./scheduler.ts";
import type { Stream, StreamPort } from "./stream.ts";
import { CloseCode, FrameType, GoAwayReason, PROTOCOL_VERSION } from "./wire.ts";

/** What a link asks of the session it carries. */
export interface LinkHost {
  /** Bytes the session may still send, on any of its links. */
  readonly credit: SendWindow;
  handle(frame: Frame, link: Link): void;
  /** Bytes of any stream have left our memory. */
  consumed(bytes: number): void;
  /** The CREDIT the session owes; undefined when it owes none. */
  grant(): { received: number; limit: number } | undefined;
  streamClosed(stream: Stream): void;
  /** The peer asks that this link be left within `drainMs`. */
  draining(link: Link, drainMs: number): void;
  closed(link: Link, reason: CarrierError | ProtocolError): void;
}

export interface LinkOptions {
  readonly clock: Clock;
  /** What we say of ourselves; `session` may depend on the peer's HELLO, so this is asked then. */
  readonly hello: () => Hello;
  /** The agent speaks first; the edge answers once it has read the agent's HELLO. */
  readonly speaksFirst: boolean;
  /** Finds or makes the session, once the peer has said HELLO. @throws ProtocolError to refuse */
  readonly greet: (hello: Hello, link: Link) => LinkHost;
  /** The carrier ended before any session had it. */
  readonly failed: (reason: CarrierError | ProtocolError) => void;
}

/** The peer must have said HELLO by then. */
const HELLO_TIMEOUT_MS = 10_000;
/** What is in flight waits in this process's memory too: the peer alone must not say how much. */
const MAX_CARRIER_WINDOW = 16_777_216;
/** Control frames that may wait for one turn of the event loop; beyond it the peer is flooding us. */
const MAX_CONTROL_FRAMES = 65_536;

/**
 * One carrier of a session: greets, batches frames into messages, gives streams their turns, keeps
 * what is in flight within the peer's carrier window, and notices when the carrier is dead.
 */
export class Link implements StreamPort, CarrierEvents {
  readonly #options: LinkOptions;
  readonly #carrier: Carrier;
  readonly #keepAlive: KeepAlive;
  readonly #scheduler = new Scheduler<Stream>();
  readonly #control: Frame[] = [];
  readonly #grants = new Set<Stream>();
  readonly #memory = new MessageMemory();
  #host: LinkHost | undefined;
  #inFlight = new SendWindow(0);
  #carrierWindow = 0;
  #arrivals = new ReceiveWindow(0);
  #isFlushDue = false;
  #isSessionGrantDue = false;
  #isDraining = false;
  #isClosed = false;
  #helloTimer: Cancel;

  /** `open` starts the carrier with this link as its events. */
  constructor(options: LinkOptions, open: (events: CarrierEvents) => Carrier) {
    this.#options = options;
    this.#carrier = open(this);
    this.#keepAlive = new KeepAlive(options.clock, {
      pings: options.speaksFirst,
      ping: (stamp) => this.control({ type: FrameType.Ping, stamp }),
      dead: (silentMs) => {
        const text = `Nothing was heard for ${Math.round(silentMs / 1000)} s`;
        this.#end(CloseCode.PingTimeout, new CarrierError("ERR_CARRIER_LOST", text));
      },
    });
    this.#helloTimer = options.clock.after(HELLO_TIMEOUT_MS, () => {
      const text = "The other side did not say HELLO in time";
      this.#end(CloseCode.ProtocolError, new CarrierError("ERR_CARRIER_LOST", text));
    });
    if (options.speaksFirst) this.#sayHello();
  }

  /** Last measured round trip, in milliseconds; undefined before the first PONG. */
  get roundTripMs(): number | undefined {
    return this.#keepAlive.roundTripMs;
  }

  /** Whether new streams belong elsewhere. */
  get isDraining(): boolean {
    return this.#isDraining || this.#isClosed;
  }

  control(frame: Frame): void {
    this.#control.push(frame);
    if (this.#control.length > MAX_CONTROL_FRAMES) {
      const text = "Too many frames at once";
      this.#fail(new ProtocolError("ERR_FRAME_STATE", text, { goAway: GoAwayReason.Overloaded }));
    }
    this.#flushSoon();
  }

  ready(stream: Stream): void {
    this.#scheduler.add(stream, this.#options.clock.now());
    this.#flushSoon();
  }

  grantDue(stream: Stream): void {
    this.#grants.add(stream);
    this.#flushSoon();
  }

  consumed(bytes: number): void {
    this.#host?.consumed(bytes);
  }

  streamClosed(stream: Stream): void {
    this.#grants.delete(stream);
    this.#host?.streamClosed(stream);
  }

  closed(code: number, reason: string): void {
    const text = `The carrier closed (${code}${reason === "" ? "" : ` ${JSON.stringify(reason)}`})`;
    this.#end(CloseCode.Normal, new CarrierError("ERR_CARRIER_LOST", text));
  }

  /** The session owes a CREDIT, or has got one: somebody may go on. */
  wake(isGrantDue = false): void {
    this.#isSessionGrantDue ||= isGrantDue;
    this.#flushSoon();
  }

  /** Asks the peer to leave this carrier within `drainMs`. */
  drain(drainMs: number, text: string): void {
    this.#isDraining = true;
    this.control({ type: FrameType.GoAway, reason: GoAwayReason.Drain, drainMs, text });
  }

  /** Ends the carrier without blame. */
  close(text: string): void {
    this.#flush();
    this.#end(CloseCode.Normal, new CarrierError("ERR_CARRIER_LOST", text));
  }

  message(bytes: Uint8Array): void {
    if (this.#isClosed) return;
    this.#keepAlive.heard();
    try {
      for (const frame of decodeFrames(bytes)) {
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
        return this.#keepAlive.answered(frame.stamp);
      case FrameType.Ack:
        return this.#handleAck(frame.received);
      case FrameType.GoAway:
        return this.#handleGoAway(frame);
      case FrameType.Data:
        this.#countArrival(frame.bytes.length);
        return this.#host.handle(frame, this);
      default:
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
    this.#carrierWindow = Math.min(hello.carrierWindow, MAX_CARRIER_WINDOW);
    this.#inFlight.raise(this.#carrierWindow);
    this.#host = this.#options.greet(hello, this);
    if (!this.#options.speaksFirst) this.#sayHello();
    this.#flushSoon();
  }

  #handleAck(received: number): void {
    if (received > this.#inFlight.offset) {
      const text = `Cannot take an ACK of ${received} bytes: ${this.#inFlight.offset} were sent`;
      throw new ProtocolError("ERR_FRAME_FIELD", text);
    }
    this.#inFlight.raise(received + this.#carrierWindow);
    this.#flushSoon();
  }

  #handleGoAway(frame: Extract<Frame, { type: typeof FrameType.GoAway }>): void {
    if (frame.reason === GoAwayReason.Drain && this.#host) {
      this.#isDraining = true;
      this.#host.draining(this, frame.drainMs);
      return;
    }
    const text = `The other side gave up (${frame.reason} ${JSON.stringify(frame.text)})`;
    this.#end(CloseCode.Normal, new CarrierError("ERR_PEER_GOAWAY", text));
  }

  /** One PONG a turn: a flood of PINGs costs the flooder more than us. */
  #answerPing(stamp: Uint8Array): void {
    if (this.#control.at(-1)?.type === FrameType.Pong) this.#control.pop();
    this.control({ type: FrameType.Pong, stamp: stamp.slice() });
  }

  #countArrival(bytes: number): void {
    this.#arrivals.arrive(bytes);
    this.#arrivals.consume(bytes);
    if (this.#arrivals.isGrantDue) this.#flushSoon();
  }

  #sayHello(): void {
    const hello = this.#options.hello();
    this.#arrivals = new ReceiveWindow(hello.carrierWindow);
    this.#control.unshift({ type: FrameType.Hello, hello });
    this.#flushSoon();
  }

  #flushSoon(): void {
    if (this.#isFlushDue || this.#isClosed) return;
    this.#isFlushDue = true;
    this.#options.clock.defer(() => {
      this.#isFlushDue = false;
      this.#flush();
    });
  }

  /** Sends all that may be sent now: control frames first, then streams in turn. */
  #flush(): void {
    if (this.#isClosed) return;
    while (this.#hasControl() || this.#nextDataBytes() > 0) {
      const memory = this.#nextDataBytes() > 0 ? this.#memory.take() : undefined;
      const writer = new ByteWriter(memory);
      this.#appendControl(writer);
      this.#appendData(writer);
      if (writer.length === 0) return;
      const message = writer.take();
      this.#carrier.send(message, () => this.#memory.giveBack(message.buffer));
    }
  }

  #hasControl(): boolean {
    const hasGrants = this.#grants.size > 0 || this.#isSessionGrantDue;
    return this.#control.length > 0 || hasGrants || this.#arrivals.isGrantDue;
  }

  #appendControl(writer: ByteWriter): void {
    let sent = 0;
    for (; sent < this.#control.length && writer.length < MESSAGE_BYTES; sent++) {
      const frame = this.#control[sent];
      if (frame) appendFrame(writer, frame);
    }
    this.#control.splice(0, sent);
    // What is behind the HELLO waits for the peer's: until then nobody knows what may be said.
    if (!this.#host) return;
    this.#appendGrants(writer);
  }

  #appendGrants(writer: ByteWriter): void {
    if (this.#arrivals.isGrantDue) {
      appendFrame(writer, { type: FrameType.Ack, received: this.#arrivals.grant().received });
    }
    if (this.#isSessionGrantDue) {
      this.#isSessionGrantDue = false;
      const grant = this.#host?.grant();
      if (grant) appendFrame(writer, { type: FrameType.Credit, streamId: 0, ...grant });
    }
    for (const stream of this.#grants) {
      if (writer.length >= MESSAGE_BYTES) return;
      this.#grants.delete(stream);
      const grant = stream.grant();
      if (grant) appendFrame(writer, { type: FrameType.Credit, streamId: stream.id, ...grant });
    }
  }

  /** Most bytes the next DATA frame may hold; 0 when nobody waits or something must be granted first. */
  #nextDataBytes(): number {
    if (this.#scheduler.isEmpty || !this.#host) return 0;
    return Math.max(0, Math.min(TURN_BYTES, this.#inFlight.available, this.#host.credit.available));
  }

  #appendData(writer: ByteWriter): void {
    while (writer.length < MESSAGE_BYTES) {
      const room = this.#nextDataBytes();
      const stream = room > 0 ? this.#scheduler.next() : undefined;
      if (!stream) return;
      const bytes = stream.take(Math.min(room, stream.sendable));
      if (bytes.length === 0) continue;
      appendFrame(writer, { type: FrameType.Data, streamId: stream.id, bytes });
      this.#inFlight.advance(bytes.length);
      this.#host?.credit.advance(bytes.length);
      this.#scheduler.served(stream, bytes.length);
      if (stream.sendable > 0) this.#scheduler.add(stream, this.#options.clock.now());
    }
  }

  /** The peer broke the protocol, or we did: say so, then end the carrier. */
  #fail(error: unknown): void {
    const reason =
      error instanceof ProtocolError
        ? error
        : new ProtocolError("ERR_FRAME_STATE", messageOf(error), { cause: error });
    if (this.#isClosed) return;
    const writer = new ByteWriter();
    const text = reason.message;
    appendFrame(writer, { type: FrameType.GoAway, reason: reason.goAway, drainMs: 0, text });
    this.#carrier.send(writer.take(), () => {});
    this.#end(CloseCode.ProtocolError, reason);
  }

  #end(code: number, reason: CarrierError | ProtocolError): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#helloTimer();
    this.#keepAlive.stop();
    this.#carrier.close(code, "");
    if (this.#host) this.#host.closed(this, reason);
    else this.#options.failed(reason);
  }
}
