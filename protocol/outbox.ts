import { AckTimer } from "./ack-timer.ts";
import { Arrivals } from "./arrivals.ts";
import { Backlog } from "./backlog.ts";
import { ByteWriter } from "./bytes.ts";
import { HEAD_ROOM } from "./carrier.ts";
import type { Clock } from "./clock.ts";
import type { SendWindow } from "./credit.ts";
import { DatagramQueue } from "./datagram-queue.ts";
import { Departure } from "./departure.ts";
import { Flight } from "./flight.ts";
import { appendFrame, type Frame, isSessionFrame } from "./frame.ts";
import type { Hello } from "./hello.ts";
import { MessageKeeper, type MessageSender } from "./message-keeper.ts";
import {
  largestTurn,
  MESSAGE_BYTES,
  messageBytes,
  MessageMemory,
  OVER_BYTES,
  TURN_BYTES,
} from "./message-memory.ts";
import type { CarrierLoad } from "./pool.ts";
import { type Retention, roomToKeep } from "./retention.ts";
import type { RoundTrip } from "./round-trip.ts";
import { Scheduler } from "./scheduler.ts";
import type { DatagramFrame, Stream } from "./stream.ts";
import { FrameType, MAX_PAYLOAD } from "./wire.ts";

/** What bounds the stream bytes of a carrier beside its own window. */
export interface OutboxHost extends Retention {
  /** Bytes the session may still send, on any of its carriers. */
  readonly credit: SendWindow;
  /** The CREDIT the session owes; undefined when it owes none. */
  grant(): { received: number; limit: number } | undefined;
}

export interface OutboxActions extends MessageSender {
  /** Frames of the session go out. */
  readonly traffic: () => void;
  /** More is kept than may be: the peer does not acknowledge what it gets. */
  readonly overflow: () => void;
}

export interface OutboxOptions {
  readonly clock: Clock;
  readonly roundTrip: RoundTrip;
  readonly actions: OutboxActions;
  /** Bytes of datagrams that may wait; undefined for what DatagramQueue thinks right. */
  readonly datagramBytes?: number | undefined;
  /** Memory of messages, which other carriers may share. */
  readonly memory?: MessageMemory | undefined;
}

/** Control frames that may wait for one turn of the event loop; beyond it the peer is flooding us. */
const MAX_CONTROL_FRAMES = 65_536;
/** A gap in what may be in flight is filled when it is one of so many parts: an ACK for the rest is on its way. */
const WORTHWHILE_PARTS = 4;
/** Stream bytes that need not wait for others to go with. */
const WORTH_A_MESSAGE = 4096;

/**
 * What waits to be sent on one carrier, and what was sent and may have to be sent again: batches
 * the frames of one turn of the event loop into messages, gives streams their turns, and keeps what
 * is in flight within bounds. It outlives its carrier until another takes over.
 */
export class Outbox {
  readonly #clock: Clock;
  readonly #actions: OutboxActions;
  readonly #scheduler = new Scheduler<Stream>();
  /** Frames of the carrier itself; they are lost with it. */
  readonly #own: Frame[] = [];
  readonly #control: Frame[] = [];
  readonly #grants = new Set<Stream>();
  readonly #keeper: MessageKeeper;
  readonly #datagrams: DatagramQueue;
  readonly #flight: Flight;
  readonly #backlog = new Backlog();
  #host: OutboxHost | undefined;
  #arrivals = new Arrivals(0);
  readonly #ackTimer: AckTimer;
  readonly #departure: Departure;
  #isAckLate = false;
  #isSessionGrantDue = false;
  #isStopped = false;
  /** Frames of the session in the message that is being written. */
  #frames = 0;

  constructor({ clock, roundTrip, actions, datagramBytes, memory }: OutboxOptions) {
    this.#clock = clock;
    this.#flight = new Flight(clock, roundTrip);
    this.#actions = actions;
    this.#keeper = new MessageKeeper(actions, memory ?? new MessageMemory());
    this.#ackTimer = new AckTimer(clock, () => this.#ackDue());
    this.#departure = new Departure(clock, () => this.flush());
    this.#datagrams = new DatagramQueue(datagramBytes);
  }

  /** Frames of the session that arrived on this carrier. */
  get received(): number {
    return this.#arrivals.frames;
  }

  /** Bytes that are kept to be sent again. */
  get retained(): number {
    return this.#keeper.bytes + this.#backlog.bytes;
  }

  get load(): Omit<CarrierLoad, "roundTripMs"> {
    const { offset: sent, bytes, rate } = this.#flight;
    return { sent, received: this.#arrivals.bytes, pending: bytes + this.#backlog.bytes, rate };
  }

  /** Puts our HELLO in front of everything; from now on what arrives is acknowledged. */
  sayHello(hello: Hello): void {
    this.#arrivals = new Arrivals(hello.carrierWindow);
    this.#own.unshift({ type: FrameType.Hello, hello });
    this.#departure.soon();
  }

  /** The peer has said HELLO: streams may send, up to `carrierWindow` bytes ahead of its ACKs. */
  open(host: OutboxHost, carrierWindow: number): void {
    this.#host = host;
    this.#flight.open(carrierWindow);
    this.#departure.soon();
  }

  /** The carrier is gone: what is queued from now on waits for whoever takes over. */
  stop(): void {
    this.#isStopped = true;
    this.#ackTimer.stop();
  }

  /** Queues a frame that needs no credit; false when far too many wait. */
  control(frame: Frame): boolean {
    const queue = isSessionFrame(frame) ? this.#control : this.#own;
    queue.push(frame);
    this.#departure.together();
    return queue.length <= MAX_CONTROL_FRAMES;
  }

  /** Takes back a PONG that is the last frame in the queue: a newer one says more. */
  dropLastPong(): void {
    if (this.#own.at(-1)?.type === FrameType.Pong) this.#own.pop();
  }

  ready(stream: Stream): void {
    this.#scheduler.add(stream, this.#clock.now());
    if (stream.sendable >= WORTH_A_MESSAGE) this.#departure.soon();
    else this.#departure.together();
  }

  grantDue(stream: Stream): void {
    this.#grants.add(stream);
    this.#departure.soon();
  }

  /** Whether there was room for it: else it is dropped. */
  datagram(frame: DatagramFrame): boolean {
    // One that can never be in flight would hold up all behind it.
    if (this.#isStopped) return false;
    if (this.#host && frame.bytes.length > this.#flight.max) return false;
    const isTaken = this.#datagrams.push(frame);
    if (isTaken) this.#departure.soon();
    return isTaken;
  }

  /** The stream has ended: no CREDIT for it any more. */
  forget(stream: Stream): void {
    this.#grants.delete(stream);
  }

  /** The session owes a CREDIT, or has got one: somebody may go on. */
  wake(isGrantDue: boolean): void {
    this.#isSessionGrantDue ||= isGrantDue;
    this.#departure.soon();
  }

  /** Counts a frame of the session, and its payload if that costs, for the ACK. */
  arrived(frame: Frame): void {
    this.#arrivals.frame();
    if (frame.type === FrameType.Data || frame.type === FrameType.Datagram) {
      this.#arrivals.payload(frame.bytes.length);
      this.#ackTimer.payload(this.#arrivals.unacknowledged);
    }
    if (this.#arrivals.isAckDue) this.#departure.soon();
    else if (this.#host?.retainedLimit) this.#ackTimer.frame();
  }

  /** Takes an ACK. @throws ProtocolError when it speaks of what was never sent */
  acknowledged(received: number, frames: number): void {
    this.#flight.acknowledged(received, frames);
    if (this.#host?.retainedLimit) this.#keeper.acknowledge(frames);
    this.#departure.soon();
  }

  /**
   * Takes over from the outbox of a lost carrier: what its peer has not received of it, before
   * anything else, then what was queued. Streams are moved by the session, datagrams are dropped.
   *
   * @throws ProtocolError when the peer cannot have received so many frames
   */
  absorb(lost: Outbox, received: number): void {
    const { messages, skip } = lost.#keeper.settle(received);
    for (const [at, message] of messages.entries()) {
      this.#backlog.add(message, at === 0 ? skip : 0);
    }
    this.#backlog.append(lost.#backlog);
    for (const frame of lost.#control) this.#control.push(frame);
    this.#isSessionGrantDue ||= lost.#isSessionGrantDue;
    this.#checkRetained();
    this.#departure.soon();
  }

  /** Sends all that may be sent now: control frames first, then streams in turn. */
  flush(): void {
    while (!this.#isStopped && (this.#hasControl() || this.#hasPayload())) {
      const most = messageBytes(this.#flight.rate, this.#scheduler.servesOne);
      const memory = this.#hasPayload() ? this.#memoryFor(most) : undefined;
      const writer = new ByteWriter(memory, HEAD_ROOM);
      this.#appendOwn(writer);
      const start = writer.length;
      this.#frames = 0;
      this.#appendBacklog(writer);
      if (this.#backlog.isEmpty) {
        this.#appendControl(writer);
        this.#appendDatagrams(writer);
        this.#appendData(writer, most);
      }
      if (writer.length === 0) return;
      this.#post(writer.take(), start);
    }
  }

  /** Sends a message whose frames of the session begin at `start`, and keeps those. */
  #post(message: Uint8Array<ArrayBuffer>, start: number): void {
    if (this.#frames > 0) this.#actions.traffic();
    this.#flight.sent(this.#frames);
    if (!this.#host?.retainedLimit || this.#frames === 0) return this.#keeper.send(message);
    this.#keeper.sendAndKeep(message, start, this.#frames);
    this.#checkRetained();
  }

  #checkRetained(): void {
    if (!this.#host || this.#host.retainedLimit === 0) return;
    if (this.#host.retained > this.#host.retainedLimit) this.#actions.overflow();
  }

  /** Payload bytes that may be put in flight now. */
  #room(available = this.#flight.available): number {
    return this.#host ? Math.min(available, roomToKeep(this.#host, this.#flight.bytes)) : available;
  }

  #ackDue(): void {
    if (this.#isStopped || !this.#arrivals.hasNews) return;
    this.#isAckLate = true;
    this.#departure.soon();
  }

  get #isAckDue(): boolean {
    return this.#isAckLate || this.#arrivals.isAckDue;
  }

  #hasPayload(): boolean {
    if (!this.#backlog.isEmpty) return this.#isBacklogReady();
    return this.#sendableBytes() > 0 || this.#nextDatagram() !== undefined;
  }

  #hasControl(): boolean {
    if (this.#own.length > 0) return true;
    if (!this.#host) return false;
    if (this.#isAckDue) return true;
    const hasGrants = this.#grants.size > 0 || this.#isSessionGrantDue;
    return this.#backlog.isEmpty && (this.#control.length > 0 || hasGrants);
  }

  /** Frames of this carrier: what is behind our HELLO, and an ACK whenever a message goes anyway. */
  #appendOwn(writer: ByteWriter): void {
    appendFrames(writer, this.#own);
    const isWorthIt = this.#isAckDue || (this.#host?.retainedLimit && this.#arrivals.hasNews);
    if (!this.#host || !isWorthIt) return;
    this.#isAckLate = false;
    appendFrame(writer, { type: FrameType.Ack, ...this.#arrivals.ack() });
  }

  #isBacklogReady(): boolean {
    const frame = this.#backlog.peek();
    if (!frame || !this.#host) return false;
    if (frame.type === FrameType.Data && frame.bytes.length > 0) return this.#room() > 0;
    if (frame.type !== FrameType.Datagram || frame.bytes.length > this.#flight.max) return true;
    return frame.bytes.length <= this.#room();
  }

  #appendBacklog(writer: ByteWriter): void {
    while (this.#isBacklogReady() && writer.length < MESSAGE_BYTES) {
      const frame = this.#backlog.peek();
      if (!frame) return;
      const room = this.#room();
      if (frame.type === FrameType.Data && frame.bytes.length > room) {
        this.#append(writer, { ...frame, bytes: this.#backlog.cut(room) });
        continue;
      }
      const isLost = frame.type === FrameType.Datagram && frame.bytes.length > room;
      if (!isLost) this.#append(writer, frame);
      this.#backlog.shift();
    }
  }

  #append(writer: ByteWriter, frame: Frame): void {
    appendFrame(writer, frame);
    this.#frames++;
    if (frame.type === FrameType.Data || frame.type === FrameType.Datagram) {
      this.#flight.advance(frame.bytes.length);
    }
  }

  #appendControl(writer: ByteWriter): void {
    if (!this.#host) return;
    this.#frames += appendFrames(writer, this.#control);
    if (this.#isSessionGrantDue) {
      this.#isSessionGrantDue = false;
      const grant = this.#host.grant();
      if (grant) this.#append(writer, { type: FrameType.Credit, streamId: 0, ...grant });
    }
    for (const stream of this.#grants) {
      if (writer.length >= MESSAGE_BYTES) return;
      this.#grants.delete(stream);
      const grant = stream.grant();
      if (grant) this.#append(writer, { type: FrameType.Credit, streamId: stream.id, ...grant });
    }
  }

  /** Stream bytes that may be sent now; 0 when nobody waits or something must be granted first. */
  #sendableBytes(): number {
    const next = this.#scheduler.peek();
    if (!next || !this.#host) return 0;
    const flight = this.#scheduler.servesOne ? this.#flight.availableToOne : this.#flight.available;
    // As in RFC 1122 section 4.2.3.4: who fills each gap that an ACK leaves sends ever smaller frames.
    const worthwhile = Math.min(next.sendable, TURN_BYTES, this.#flight.limit / WORTHWHILE_PARTS);
    if (flight < worthwhile && this.#flight.bytes > 0) return 0;
    return Math.max(0, Math.min(this.#room(flight), this.#host.credit.available));
  }

  /** The datagram that fits into what may be in flight now. */
  #nextDatagram(): DatagramFrame | undefined {
    return this.#host ? this.#datagrams.peek(this.#room()) : undefined;
  }

  /** Before stream bytes: a datagram that comes late is worth less. */
  #appendDatagrams(writer: ByteWriter): void {
    for (let frame = this.#nextDatagram(); frame; frame = this.#nextDatagram()) {
      if (writer.length >= MESSAGE_BYTES) return;
      this.#append(writer, frame);
      this.#datagrams.shift();
    }
  }

  /** What will not be filled is not taken: a message is kept in all of its memory. */
  #memoryFor(most: number): ArrayBuffer {
    const bytes = this.#backlog.isEmpty ? Math.min(most, this.#sendableBytes()) : 0;
    return this.#keeper.take(Math.max(MESSAGE_BYTES, bytes));
  }

  #appendData(writer: ByteWriter, most: number): void {
    while (writer.length < most) {
      const room = this.#sendableBytes();
      const stream = room > 0 ? this.#scheduler.next() : undefined;
      if (!stream) return;
      // Who waits alone need not stop after each turn: the fewer frames, the less they cost.
      const alone = this.#scheduler.isEmpty ? largestTurn(writer.length, most) : 0;
      const turn = Math.max(stream.turn.deficit, alone);
      const wanted = stream.sendable <= turn + OVER_BYTES ? stream.sendable : turn;
      const bytes = stream.take(Math.min(room, wanted, MAX_PAYLOAD));
      if (bytes.length === 0) continue;
      this.#append(writer, { type: FrameType.Data, streamId: stream.id, bytes });
      this.#host?.credit.advance(bytes.length);
      this.#scheduler.served(stream, bytes.length);
      if (stream.sendable > 0) this.#scheduler.add(stream, this.#clock.now());
    }
  }
}

/** Takes frames off a queue until it is empty or the message is full; returns how many. */
function appendFrames(writer: ByteWriter, queue: Frame[]): number {
  let count = 0;
  for (; count < queue.length && writer.length < MESSAGE_BYTES; count++) {
    const frame = queue[count];
    if (frame) appendFrame(writer, frame);
  }
  queue.splice(0, count);
  return count;
}
