import type { Address } from "./address.ts";
import { ReceiveWindow, SendWindow } from "./credit.ts";
import { type CarrierError, ProtocolError, StreamError } from "./errors.ts";
import type { Frame } from "./frame.ts";
import type { Hello } from "./hello.ts";
import type { Link, LinkHost } from "./link.ts";
import { PayloadMemory } from "./payload-memory.ts";
import { Stream } from "./stream.ts";
import { FrameType, HEADER_LENGTH, MAX_PAYLOAD, MAX_STREAM_ID } from "./wire.ts";

/** A stream that the peer opened, and what it asked for. */
export interface IncomingStream {
  readonly stream: Stream;
  /** One of `Command`, or a number that a later version knows. */
  readonly command: number;
  readonly address: Address;
}

export interface SessionOptions {
  /** What each end said of itself; the limits in them hold for the life of the session. */
  readonly local: Hello;
  readonly remote: Hello;
  /** The edge's door; an end without it (the agent) takes no OPEN. */
  readonly accept?: (incoming: IncomingStream) => void;
  /** A link asks to be left; new streams need another session or link. */
  readonly draining?: (drainMs: number) => void;
  /** The last link is gone, and with it every stream. */
  readonly closed: (reason: CarrierError | ProtocolError) => void;
}

/** Room that the address of an OPEN may take beside its early data. */
const OPEN_OVERHEAD = HEADER_LENGTH + 512;

/**
 * All streams of one agent with one edge. Streams belong to the session and lean on one of its
 * links; they end with that link until a session can be resumed (PROTOCOL.md section 10).
 */
export class Session implements LinkHost {
  readonly credit: SendWindow;
  readonly #options: SessionOptions;
  /** The highest id opened on each link: OPENs climb, and frames of lower unknown ids are late. */
  readonly #links = new Map<Link, number>();
  readonly #streams = new Map<number, { readonly stream: Stream; readonly link: Link }>();
  /** Links the peer asked us to leave: we close each once its last stream has ended. */
  readonly #leaving = new Set<Link>();
  readonly #window: ReceiveWindow;
  readonly #memory = new PayloadMemory();
  /** The last id that we have opened. */
  #lastStreamId = 0;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.credit = new SendWindow(options.remote.sessionWindow);
    this.#window = new ReceiveWindow(options.local.sessionWindow);
  }

  get streamCount(): number {
    return this.#streams.size;
  }

  get linkCount(): number {
    return this.#links.size;
  }

  get remote(): Hello {
    return this.#options.remote;
  }

  /** Whether open() has a link to use. */
  get isOpen(): boolean {
    return this.#pickLink() !== undefined;
  }

  attach(link: Link): void {
    this.#links.set(link, 0);
  }

  /**
   * Opens a stream; `stream.answer()` tells how it went. Of `early`, as much as the peer's window
   * takes goes along in the OPEN; the number of bytes that went is returned.
   *
   * @throws StreamError "edge-unavailable" when no link takes it or the peer's limit is reached
   */
  open(command: number, address: Address, early: Uint8Array): { stream: Stream; sent: number } {
    const link = this.#pickLink();
    if (!link) throw new StreamError("edge-unavailable", "The session has no carrier");
    if (this.#streams.size >= this.#options.remote.maxStreams) {
      const { maxStreams } = this.#options.remote;
      throw new StreamError("edge-unavailable", `The edge allows ${maxStreams} streams at once`);
    }
    if (this.#lastStreamId === MAX_STREAM_ID) {
      throw new StreamError("edge-unavailable", "The session has used up its stream ids");
    }
    const stream = this.#add(++this.#lastStreamId, link);
    const sent = Math.min(
      early.length,
      this.#options.remote.streamWindow,
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
    for (const link of this.#links.keys()) link.drain(drainMs, text);
  }

  /** Ends every link, and so every stream. */
  close(text: string): void {
    for (const link of this.#links.keys()) link.close(text);
  }

  /** Ends the streams one by one, telling the peer why, before the links end. */
  reset(error: StreamError): void {
    for (const { stream } of this.#streams.values()) stream.abort(error);
  }

  consumed(bytes: number): void {
    this.#window.consume(bytes);
    this.#grantIfDue();
  }

  grant(): { received: number; limit: number } | undefined {
    return this.#window.isGrantDue ? this.#window.grant() : undefined;
  }

  streamClosed(stream: Stream): void {
    this.#streams.delete(stream.id);
    for (const link of this.#leaving) this.#closeIfLeft(link);
  }

  draining(link: Link, drainMs: number): void {
    this.#leaving.add(link);
    this.#options.draining?.(drainMs);
    this.#closeIfLeft(link);
  }

  closed(link: Link, reason: CarrierError | ProtocolError): void {
    this.#links.delete(link);
    this.#leaving.delete(link);
    const lost = new StreamError("edge-unavailable", reason.message, { cause: reason });
    for (const entry of this.#streams.values()) {
      if (entry.link === link) entry.stream.fail(lost);
    }
    if (this.#links.size === 0) this.#options.closed(reason);
  }

  handle(frame: Frame, link: Link): void {
    switch (frame.type) {
      case FrameType.Open:
        return this.#handleOpen(frame, link);
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

  #grantIfDue(): void {
    if (!this.#window.isGrantDue) return;
    const [anyLink] = this.#links.keys();
    (this.#pickLink() ?? anyLink)?.wake(true);
  }

  #handleOpen(frame: Extract<Frame, { type: typeof FrameType.Open }>, link: Link): void {
    const { accept, local } = this.#options;
    if (!accept)
      throw new ProtocolError("ERR_FRAME_STATE", "Cannot take OPEN: only the agent opens");
    if (frame.streamId <= this.#lastIdOn(link) || this.#streams.has(frame.streamId)) {
      throw new ProtocolError(
        "ERR_STREAM_ID",
        `Cannot open stream ${frame.streamId}: ids must climb`,
      );
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
    for (const link of this.#links.keys()) link.wake();
  }

  /** The stream of a frame; undefined for one that has ended here and whose frames are just late. */
  #find(streamId: number, link: Link): Stream | undefined {
    const entry = this.#streams.get(streamId);
    if (entry) {
      if (entry.link === link) return entry.stream;
      throw new ProtocolError("ERR_STREAM_ID", `Cannot take stream ${streamId} on this carrier`);
    }
    if (streamId <= this.#lastIdOn(link)) return undefined;
    throw new ProtocolError(
      "ERR_STREAM_ID",
      `Cannot take a frame of stream ${streamId}: never opened`,
    );
  }

  #add(id: number, link: Link): Stream {
    const stream = new Stream({
      id,
      port: link,
      sendCredit: this.#options.remote.streamWindow,
      receiveWindow: this.#options.local.streamWindow,
      memory: this.#memory,
    });
    this.#streams.set(id, { stream, link });
    this.#links.set(link, id);
    return stream;
  }

  #lastIdOn(link: Link): number {
    return this.#links.get(link) ?? 0;
  }

  #closeIfLeft(link: Link): void {
    for (const entry of this.#streams.values()) if (entry.link === link) return;
    link.close("Drained");
  }

  #pickLink(): Link | undefined {
    for (const link of this.#links.keys()) if (!link.isDraining) return link;
    return undefined;
  }
}
