import { ProtocolError } from "./errors.ts";

/** The session's frames of one message, kept until the peer has said that it received them. */
export interface SentMessage {
  readonly bytes: Uint8Array;
  readonly frames: number;
  /** Gives the memory back; called once, by whoever has the message last. */
  readonly release: () => void;
}

/** What one message costs beside its bytes. */
const OVERHEAD_BYTES = 128;

/**
 * What a carrier has sent and its peer has not acknowledged. Frames are counted from the start of
 * the carrier, so that one number settles it: bytes, FIN, OPEN, answers and CREDIT alike.
 */
export class SentLog {
  #messages: SentMessage[] = [];
  #head = 0;
  /** Frames in all messages before the head. */
  #before = 0;
  #sent = 0;
  #acknowledged = 0;
  #bytes = 0;

  /** Memory that is kept. */
  get bytes(): number {
    return this.#bytes;
  }

  get isEmpty(): boolean {
    return this.#acknowledged === this.#sent;
  }

  push(message: SentMessage): void {
    this.#messages.push(message);
    this.#sent += message.frames;
    this.#bytes += message.bytes.length + OVERHEAD_BYTES;
  }

  /** The peer has received so many frames. @throws ProtocolError when they were never sent */
  acknowledge(frames: number): void {
    if (frames > this.#sent) {
      const text = `Cannot take an ACK of ${frames} frames: ${this.#sent} were sent`;
      throw new ProtocolError("ERR_FRAME_FIELD", text);
    }
    // Like a CREDIT, one that says less is old news.
    this.#acknowledged = Math.max(this.#acknowledged, frames);
    for (let head = this.#messages[this.#head]; head; head = this.#messages[this.#head]) {
      if (this.#before + head.frames > this.#acknowledged) break;
      this.#drop(head);
      head.release();
    }
  }

  /**
   * Empties the log: gives what the peer has not received, and how many frames of the first of
   * these messages it has. @throws ProtocolError when it has acknowledged more, or never got so much
   */
  settle(received: number): { readonly messages: SentMessage[]; readonly skip: number } {
    if (received < this.#acknowledged) {
      const text = `Cannot resume at frame ${received}: ${this.#acknowledged} were acknowledged`;
      throw new ProtocolError("ERR_FRAME_FIELD", text);
    }
    this.acknowledge(received);
    const messages = this.#messages.slice(this.#head);
    const skip = received - this.#before;
    for (const message of messages) this.#drop(message);
    this.#acknowledged = this.#sent;
    return { messages, skip };
  }

  #drop(head: SentMessage): void {
    this.#before += head.frames;
    this.#bytes -= head.bytes.length + OVERHEAD_BYTES;
    this.#head++;
    if (this.#head * 2 < this.#messages.length) return;
    this.#messages = this.#messages.slice(this.#head);
    this.#head = 0;
  }
}
