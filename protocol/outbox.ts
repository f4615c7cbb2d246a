import { ByteWriter } from "./bytes.ts";
import { HEAD_ROOM } from "./carrier.ts";
import type { Clock } from "./clock.ts";
import { ReceiveWindow, SendWindow } from "./credit.ts";
import { DatagramQueue } from "./datagram-queue.ts";
import { ProtocolError } from "./errors.ts";
import { appendFrame, type Frame } from "./frame.ts";
import type { Hello } from "./hello.ts";
import { MESSAGE_BYTES, MessageMemory, TURN_BYTES } from "./message-memory.ts";
import { Scheduler } from "./scheduler.ts";
import type { DatagramFrame, Stream } from "./stream.ts";
import { FrameType } from "./wire.ts";

/** What bounds the stream bytes of a carrier beside its own window. */
export interface OutboxHost {
  /** Bytes the session may still send, on any of its carriers. */
  readonly credit: SendWindow;
  /** The CREDIT the session owes; undefined when it owes none. */
  grant(): { received: number; limit: number } | undefined;
}

/** What is in flight waits in this process's memory too: the peer alone must not say how much. */
const MAX_CARRIER_WINDOW = 16_777_216;
/** Control frames that may wait for one turn of the event loop; beyond it the peer is flooding us. */
const MAX_CONTROL_FRAMES = 65_536;

/**
 * What waits to be sent on one carrier: batches the frames of one turn of the event loop into
 * messages, gives streams their turns, and keeps what is in flight within the peer's carrier window.
 */
export class Outbox {
  readonly #clock: Clock;
  readonly #send: (message: Uint8Array<ArrayBuffer>, done: () => void) => void;
  readonly #scheduler = new Scheduler<Stream>();
  readonly #control: Frame[] = [];
  readonly #grants = new Set<Stream>();
  readonly #memory = new MessageMemory();
  readonly #datagrams: DatagramQueue;
  readonly #inFlight = new SendWindow(0);
  #host: OutboxHost | undefined;
  #carrierWindow = 0;
  #arrivals = new ReceiveWindow(0);
  #isFlushDue = false;
  #isSessionGrantDue = false;

  constructor(
    clock: Clock,
    send: (message: Uint8Array<ArrayBuffer>, done: () => void) => void,
    datagramBytes?: number,
  ) {
    this.#clock = clock;
    this.#send = send;
    this.#datagrams = new DatagramQueue(datagramBytes);
  }

  /** Puts our HELLO in front of everything; from now on what arrives is acknowledged. */
  sayHello(hello: Hello): void {
    this.#arrivals = new ReceiveWindow(hello.carrierWindow);
    this.#control.unshift({ type: FrameType.Hello, hello });
    this.#flushSoon();
  }

  /** The peer has said HELLO: streams may send, `carrierWindow` bytes ahead of its ACKs. */
  open(host: OutboxHost, carrierWindow: number): void {
    this.#host = host;
    this.#carrierWindow = Math.min(carrierWindow, MAX_CARRIER_WINDOW);
    this.#inFlight.raise(this.#carrierWindow);
    this.#flushSoon();
  }

  /** Queues a frame that needs no credit; false when far too many wait. */
  control(frame: Frame): boolean {
    this.#control.push(frame);
    this.#flushSoon();
    return this.#control.length <= MAX_CONTROL_FRAMES;
  }

  /** Takes back a PONG that is the last frame in the queue: a newer one says more. */
  dropLastPong(): void {
    if (this.#control.at(-1)?.type === FrameType.Pong) this.#control.pop();
  }

  ready(stream: Stream): void {
    this.#scheduler.add(stream, this.#clock.now());
    this.#flushSoon();
  }

  grantDue(stream: Stream): void {
    this.#grants.add(stream);
    this.#flushSoon();
  }

  /** Whether there was room for it: else it is dropped. */
  datagram(frame: DatagramFrame): boolean {
    // One that can never be in flight would hold up all behind it.
    if (this.#host && frame.bytes.length > this.#carrierWindow) return false;
    const isTaken = this.#datagrams.push(frame);
    if (isTaken) this.#flushSoon();
    return isTaken;
  }

  /** The stream has ended: no CREDIT for it any more. */
  forget(stream: Stream): void {
    this.#grants.delete(stream);
  }

  /** The session owes a CREDIT, or has got one: somebody may go on. */
  wake(isGrantDue: boolean): void {
    this.#isSessionGrantDue ||= isGrantDue;
    this.#flushSoon();
  }

  /** Counts payload bytes that arrived, for the ACK. @throws ProtocolError beyond our window */
  arrived(bytes: number): void {
    this.#arrivals.arrive(bytes);
    this.#arrivals.consume(bytes);
    if (this.#arrivals.isGrantDue) this.#flushSoon();
  }

  /** Takes an ACK. @throws ProtocolError when it speaks of bytes that were never sent */
  acknowledged(received: number): void {
    if (received > this.#inFlight.offset) {
      const text = `Cannot take an ACK of ${received} bytes: ${this.#inFlight.offset} were sent`;
      throw new ProtocolError("ERR_FRAME_FIELD", text);
    }
    this.#inFlight.raise(received + this.#carrierWindow);
    this.#flushSoon();
  }

  /** Sends all that may be sent now: control frames first, then streams in turn. */
  flush(): void {
    while (this.#hasControl() || this.#hasPayload()) {
      const memory = this.#hasPayload() ? this.#memory.take() : undefined;
      const writer = new ByteWriter(memory, HEAD_ROOM);
      this.#appendControl(writer);
      this.#appendDatagrams(writer);
      this.#appendData(writer);
      if (writer.length === 0) return;
      const message = writer.take();
      this.#send(message, () => this.#memory.giveBack(message.buffer));
    }
  }

  #flushSoon(): void {
    if (this.#isFlushDue) return;
    this.#isFlushDue = true;
    this.#clock.defer(() => {
      this.#isFlushDue = false;
      this.flush();
    });
  }

  #hasPayload(): boolean {
    return this.#nextDataBytes() > 0 || this.#nextDatagram() !== undefined;
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

  /** The datagram that fits into what may be in flight now. */
  #nextDatagram(): DatagramFrame | undefined {
    return this.#host ? this.#datagrams.peek(this.#inFlight.available) : undefined;
  }

  /** Before stream bytes: a datagram that comes late is worth less. */
  #appendDatagrams(writer: ByteWriter): void {
    for (let frame = this.#nextDatagram(); frame; frame = this.#nextDatagram()) {
      if (writer.length >= MESSAGE_BYTES) return;
      appendFrame(writer, frame);
      this.#inFlight.advance(frame.bytes.length);
      this.#datagrams.shift();
    }
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
      if (stream.sendable > 0) this.#scheduler.add(stream, this.#clock.now());
    }
  }
}
