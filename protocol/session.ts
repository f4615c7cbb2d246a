import { Absence } from "./absence.ts";
import type { Address } from "./address.ts";
import { Carriers } from "./carriers.ts";
import { ReceiveWindow, SendWindow } from "./credit.ts";
import { CarrierError, ProtocolError, StreamError } from "./errors.ts";
import type { Frame } from "./frame.ts";
import { GrowingWindow, type GrowingWindowOptions, GrowthBudget } from "./growing-window.ts";
import type { Hello } from "./hello.ts";
import type { Link, LinkHost } from "./link.ts";
import { PayloadMemory } from "./payload-memory.ts";
import type { SessionOptions } from "./session-options.ts";
import { shed } from "./shed.ts";
import { Stream } from "./stream.ts";
import { StreamIds } from "./stream-ids.ts";
import { FrameType, HEADER_LENGTH, MAX_PAYLOAD, MAX_STREAM_ID } from "./wire.ts";

/** A stream that the peer opened, and what it asked for. */
export interface IncomingStream {
  readonly stream: Stream;
  /** One of `Command`, or a number that a later version knows. */
  readonly command: number;
  readonly address: Address;
}

interface Entry {
  readonly stream: Stream;
  readonly window: GrowingWindow;
  link: Link;
}

/** Room that the address of an OPEN may take beside its early data. */
const OPEN_OVERHEAD = HEADER_LENGTH + 512;
/** Ids that may be passed over and come later: OPENs on a carrier that is slower, or was lost. */
const MAX_GAPS = 4096;
const RESUME_MEMORY = 8_388_608;

/**
 * All streams of one agent with one edge. Streams belong to the session and lean on one of its
 * links; when that is lost they go on on another, if both ends can resume (PROTOCOL.md section 10).
 */
export class Session implements LinkHost {
  readonly credit: SendWindow;
  readonly #options: SessionOptions;
  readonly #carriers: Carriers;
  readonly #streams = new Map<number, Entry>();
  readonly #window: ReceiveWindow;
  readonly #windowOptions: GrowingWindowOptions;
  readonly #memory: PayloadMemory;
  readonly #ids: StreamIds;
  readonly #resumeMemory: number;
  readonly #resumeWindowMs: number;
  #absence: Absence | undefined;
  /** The last id that we have opened. */
  #lastStreamId = 0;
  #isEnding = false;
  #isOver = false;

  constructor(options: SessionOptions) {
    const { local, remote, resumeMemory = RESUME_MEMORY } = options;
    this.#options = options;
    this.#memory = options.memory ?? new PayloadMemory();
    this.credit = new SendWindow(remote.sessionWindow);
    this.#window = new ReceiveWindow(local.sessionWindow);
    this.#windowOptions = {
      clock: options.clock,
      budget: new GrowthBudget(local.sessionWindow, () => this.#window.held),
      roundTripMs: () => this.roundTripMs,
    };
    // An agent that does not number its carriers cannot say which of them it has lost.
    const isNumbered = !options.accept || remote.carrier > 0;
    this.#resumeWindowMs = isNumbered
      ? Math.min(local.resumeWindow, remote.resumeWindow) * 1000
      : 0;
    this.#resumeMemory = resumeMemory;
    this.#ids = new StreamIds(this.isResumable ? MAX_GAPS : 0);
    this.#carriers = new Carriers({
      isAgent: !options.accept,
      takeOver: (lost, heir, received) => this.#takeOver(lost, heir, received),
    });
  }

  /** Whether streams outlive their carrier. Otherwise the session has one carrier alone. */
  get isResumable(): boolean {
    return this.#resumeWindowMs > 0;
  }

  /** Carriers that the session may have at once. */
  get maxCarriers(): number {
    const { local, remote } = this.#options;
    // Only the edge's word counts: it is the one whom carriers cost.
    return this.isResumable ? (this.#options.accept ? local : remote).maxCarriers : 1;
  }

  get retainedLimit(): number {
    return this.isResumable ? this.#resumeMemory : 0;
  }

  get streamCount(): number {
    return this.#streams.size;
  }

  get linkCount(): number {
    return this.#carriers.count;
  }

  get carriers(): Carriers {
    return this.#carriers;
  }

  /** The shortest round trip of its links, by their last pings; undefined before the first. */
  get roundTripMs(): number | undefined {
    return this.#carriers.roundTripMs;
  }

  get remote(): Hello {
    return this.#options.remote;
  }

  /** Bytes that wait here for readers or to be sent, and those of lost carriers that may be sent again. */
  get held(): number {
    let bytes = this.#window.held + this.#carriers.retainedByLost;
    for (const { unsent } of this.#allStreams) bytes += unsent;
    return bytes;
  }

  /** Bytes that are kept until the peer has acknowledged them, on live and on lost carriers. */
  get retained(): number {
    return this.#carriers.retained;
  }

  /** Stream bytes received in all: what the peer has sent, and nothing of it is under way. */
  get receivedBytes(): number {
    return this.#window.received;
  }

  /** Streams that we have opened in all. */
  get openedCount(): number {
    return this.#lastStreamId;
  }

  /** Whether open() has a link to use. */
  get isOpen(): boolean {
    return this.#carriers.openCount > 0;
  }

  /** Whether it has ended for good. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /**
   * Adds a link, of which both ends have said HELLO.
   *
   * @throws ProtocolError for the number of a carrier that was here before
   */
  attach(link: Link, carrier: number): void {
    if (this.#options.accept && this.isResumable) this.#carriers.claim(carrier);
    this.#carriers.add(link, carrier);
    this.#absence?.end();
    this.#grantIfDue();
  }

  /** Agent: what to say behind the HELLO of a link that is to go on for lost ones. */
  resumption(link: Link): Frame | undefined {
    return this.#carriers.resumption(link);
  }

  /** Agent: a carrier has ended whose HELLO was not answered. */
  abandon(link: Link, carrier: number): void {
    if (!this.#isEnding && this.isResumable) this.#carriers.abandon(link, carrier);
  }

  /** Edge: makes room for one more carrier. */
  makeRoom(): void {
    if (this.#carriers.count >= this.maxCarriers) this.#carriers.dropStalest();
  }

  /** Takes all links for lost, where another may go on for them. */
  lose(text: string): void {
    if (this.isResumable) for (const link of this.#carriers.live) link.lose(text);
  }

  /** Finds out at once which links are still there. */
  probe(): void {
    for (const link of this.#carriers.live) link.probe();
  }

  /**
   * Opens a stream; `stream.answer()` tells how it went. Of `early`, as much as the peer's window
   * takes goes along in the OPEN; the number of bytes that went is returned.
   *
   * @throws StreamError "edge-unavailable" when no link takes it or the peer's limit is reached
   */
  open(command: number, address: Address, early: Uint8Array): { stream: Stream; sent: number } {
    const link = this.#carriers.pick();
    if (!link) throw new StreamError("edge-unavailable", "The session has no carrier");
    const { maxStreams, streamWindow } = this.#options.remote;
    if (this.#streams.size >= maxStreams) {
      throw new StreamError("edge-unavailable", `The edge allows ${maxStreams} streams at once`);
    }
    if (this.#lastStreamId === MAX_STREAM_ID) {
      throw new StreamError("edge-unavailable", "The session has used up its stream ids");
    }
    this.#ids.use(++this.#lastStreamId);
    const stream = this.#add(this.#lastStreamId, link);
    const sent = Math.min(
      early.length,
      streamWindow,
      Math.max(0, this.credit.available),
      MAX_PAYLOAD - OPEN_OVERHEAD,
    );
    stream.countEarly(sent);
    this.credit.advance(sent);
    // Copied: the frame is encoded at the end of the turn, and `early` is the caller's.
    const bytes = early.slice(0, sent);
    link.control({ type: FrameType.Open, streamId: stream.id, command, address, early: bytes });
    return { stream, sent };
  }

  /** Asks the peer to leave every link within `drainMs`. */
  drain(drainMs: number, text: string): void {
    for (const link of this.#carriers.live) link.drain(drainMs, text);
  }

  /** Ends the session: every link, and so every stream. */
  close(text: string): void {
    this.#close(new CarrierError("ERR_CARRIER_LOST", text));
  }

  /** Ends the streams one by one, telling the peer why, before the links end. */
  reset(error: StreamError): void {
    for (const stream of this.#allStreams) stream.abort(error);
  }

  consumed(bytes: number): void {
    this.#window.consume(bytes);
    this.#grantIfDue();
  }

  grant(): { received: number; limit: number } | undefined {
    return this.#window.isGrantDue ? this.#window.grant() : undefined;
  }

  streamClosed(stream: Stream): void {
    const entry = this.#streams.get(stream.id);
    if (!entry) return;
    this.#streams.delete(stream.id);
    entry.window.close();
    this.#carriers.countStreams(entry.link, -1);
  }

  draining(link: Link, drainMs: number): void {
    this.#options.draining?.(drainMs);
    this.#carriers.leave(link);
  }

  closed(link: Link, reason: CarrierError | ProtocolError): void {
    if (this.#isEnding) return;
    // Who breaks the protocol, or gives up, would do so again with the same frames.
    const isLoss = reason instanceof CarrierError && reason.code === "ERR_CARRIER_LOST";
    if (!isLoss || !this.isResumable) {
      if (this.#carriers.delete(link)) this.#close(reason);
      return;
    }
    if (!this.#carriers.lose(link)) return;
    if (this.#carriers.count === 0) this.#keep(reason);
    this.#options.lost?.(reason, link);
  }

  handle(frame: Frame, link: Link): void {
    switch (frame.type) {
      case FrameType.Open:
        return this.#handleOpen(frame, link);
      case FrameType.Resume:
        if (this.isResumable) return this.#carriers.resume(frame.entries, link);
        throw new ProtocolError("ERR_FRAME_STATE", "Cannot take RESUME: nothing is resumed");
      case FrameType.Credit:
        return this.#handleCredit(frame);
      case FrameType.Data:
        this.#window.arrive(frame.bytes.length);
        this.#handleData(frame, link);
        return this.#grantIfDue();
      case FrameType.Opened:
        return this.#find(frame.streamId, link)?.handleOpened(frame.bound);
      case FrameType.Failed:
        return this.#find(frame.streamId, link)?.handleFailed(frame.reason, frame.text);
      case FrameType.Fin:
        return this.#find(frame.streamId, link)?.handleFin(frame.finalOffset);
      case FrameType.Reset:
        return this.#find(frame.streamId, link)?.handleReset(frame.reason);
      case FrameType.Datagram:
        return this.#find(frame.streamId, link)?.handleDatagram(frame.address, frame.bytes);
      default:
        throw new ProtocolError("ERR_FRAME_STATE", `Cannot take frame ${frame.type} here`);
    }
  }

  get #allStreams(): Stream[] {
    return Array.from(this.#streams.values(), ({ stream }) => stream);
  }

  #grantIfDue(): void {
    if (!this.#window.isGrantDue) return;
    (this.#carriers.pick() ?? this.#carriers.live[0])?.wake(true);
  }

  #handleOpen(frame: Extract<Frame, { type: typeof FrameType.Open }>, link: Link): void {
    const { accept, local } = this.#options;
    if (!accept) throw new ProtocolError("ERR_FRAME_STATE", "Cannot take OPEN: it is the agent's");
    if (!this.#ids.use(frame.streamId)) {
      throw new ProtocolError("ERR_STREAM_ID", `Cannot open stream ${frame.streamId} twice`);
    }
    if (this.#streams.size >= local.maxStreams) {
      const text = `Cannot open stream ${frame.streamId}: ${local.maxStreams} are open`;
      throw new ProtocolError("ERR_TOO_MANY_STREAMS", text);
    }
    const stream = this.#add(frame.streamId, link);
    this.#window.arrive(frame.early.length);
    stream.handleData(frame.early);
    this.#grantIfDue();
    accept({ stream, command: frame.command, address: frame.address });
  }

  #handleData(frame: Extract<Frame, { type: typeof FrameType.Data }>, link: Link): void {
    const stream = this.#find(frame.streamId, link);
    if (stream) stream.handleData(frame.bytes);
    else this.consumed(frame.bytes.length);
  }

  #handleCredit(frame: Extract<Frame, { type: typeof FrameType.Credit }>): void {
    if (frame.streamId !== 0) {
      this.#streams.get(frame.streamId)?.stream.handleCredit(frame.limit);
      return;
    }
    this.credit.raise(frame.limit);
    for (const link of this.#carriers.live) link.wake();
  }

  /** The stream of a frame; undefined for one that has ended here and whose frames are just late. */
  #find(streamId: number, link: Link): Stream | undefined {
    const entry = this.#streams.get(streamId);
    if (entry) {
      if (entry.link === link) return entry.stream;
      throw new ProtocolError("ERR_STREAM_ID", `Cannot take stream ${streamId} on this carrier`);
    }
    if (this.#ids.isUsed(streamId)) return undefined;
    const text = `Cannot take a frame of stream ${streamId}: never opened`;
    throw new ProtocolError("ERR_STREAM_ID", text);
  }

  #add(id: number, link: Link): Stream {
    const { local, remote } = this.#options;
    const window = new GrowingWindow(local.streamWindow, this.#windowOptions);
    const sendCredit = remote.streamWindow;
    const stream = new Stream({ id, port: link, sendCredit, window, memory: this.#memory });
    this.#streams.set(id, { stream, window, link });
    this.#carriers.countStreams(link, 1);
    return stream;
  }

  #takeOver(lost: Link, heir: Link, received: number): void {
    heir.absorb(lost, received);
    for (const entry of this.#streams.values()) {
      if (entry.link !== lost) continue;
      entry.link = heir;
      this.#carriers.countStreams(heir, 1);
      entry.stream.lean(heir);
    }
  }

  /** The last link is lost: waits for another, with no more in memory than is allowed. */
  #keep(reason: CarrierError): void {
    this.#absence = new Absence(this.#options.clock, this.#resumeWindowMs, {
      look: () => shed(this.#allStreams, this.held - this.#resumeMemory),
      over: () => this.#end(reason),
    });
  }

  #close(reason: CarrierError | ProtocolError): void {
    if (this.#isEnding) return;
    this.#isEnding = true;
    for (const link of this.#carriers.live) {
      if (this.isResumable) link.leave(reason.message);
      else link.close(reason.message);
    }
    this.#end(reason);
  }

  #end(reason: CarrierError | ProtocolError): void {
    if (this.#isOver) return;
    this.#isEnding = true;
    this.#isOver = true;
    this.#absence?.end();
    this.#carriers.clear();
    const lost = new StreamError("edge-unavailable", reason.message, { cause: reason });
    for (const stream of this.#allStreams) stream.fail(lost);
    this.#options.closed(reason);
  }
}
