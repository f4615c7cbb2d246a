import { ReceiveWindow } from "./credit.ts";

/** Frames after which an ACK is due, so that a sender of small ones can forget them in time. */
const FRAMES_PER_ACK = 256;
/** Payload after which it is: below what a sender has in flight at least, less a datagram. */
const BYTES_PER_ACK = 196_608;

/** Counts what arrives on one carrier, and tells when the peer is owed an ACK. */
export class Arrivals {
  readonly #payload: ReceiveWindow;
  #frames = 0;
  #ackedFrames = 0;
  #ackedBytes = 0;

  constructor(carrierWindow: number) {
    this.#payload = new ReceiveWindow(carrierWindow);
  }

  /** Frames of the session that have arrived, as RESUME and ACK state them. */
  get frames(): number {
    return this.#frames;
  }

  /** Payload bytes that have arrived. */
  get bytes(): number {
    return this.#payload.received;
  }

  /** Half a window has come, or many frames: the peer is not to wait longer. */
  get isAckDue(): boolean {
    return (
      this.#payload.isGrantDue ||
      this.unacknowledged >= BYTES_PER_ACK ||
      this.#frames - this.#ackedFrames >= FRAMES_PER_ACK
    );
  }

  /** Payload that no ACK has told of. */
  get unacknowledged(): number {
    return this.#payload.received - this.#ackedBytes;
  }

  /** An ACK would say something that the last one did not. */
  get hasNews(): boolean {
    return this.#frames > this.#ackedFrames || this.unacknowledged > 0;
  }

  frame(): void {
    this.#frames++;
  }

  /** Counts the bytes of a DATA or DATAGRAM. @throws ProtocolError beyond our window */
  payload(bytes: number): void {
    this.#payload.arrive(bytes);
    this.#payload.consume(bytes);
  }

  /** The fields of the ACK to send now. */
  ack(): { received: number; frames: number } {
    this.#ackedFrames = this.#frames;
    this.#ackedBytes = this.#payload.received;
    return { received: this.#payload.grant().received, frames: this.#frames };
  }
}
