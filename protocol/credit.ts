import { ProtocolError } from "./errors.ts";

/**
 * How far we may send: of one stream, or of a session.
 * Offsets are absolute (PROTOCOL.md section 6), so that a CREDIT told twice changes nothing.
 */
export class SendWindow {
  #offset = 0;
  #limit: number;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Bytes sent so far. */
  get offset(): number {
    return this.#offset;
  }

  /** Bytes that may be sent now. */
  get available(): number {
    return this.#limit - this.#offset;
  }

  advance(bytes: number): void {
    this.#offset += bytes;
  }

  /** Moves the limit up; a lower one is old news and is passed over. */
  raise(limit: number): void {
    if (limit > this.#limit) this.#limit = limit;
  }
}

/** How far the peer may send, and when to tell it that it may send further. */
export class ReceiveWindow {
  #size: number;
  /** What is worth a CREDIT however much the peer has left. */
  #part = Infinity;
  #received = 0;
  #consumed = 0;
  #limit: number;

  constructor(size: number) {
    this.#size = size;
    this.#limit = size;
  }

  get received(): number {
    return this.#received;
  }

  /** Bytes that have arrived and are still in our memory. */
  get held(): number {
    return this.#received - this.#consumed;
  }

  get size(): number {
    return this.#size;
  }

  /** Bytes that are in our memory or may still come there. */
  get outstanding(): number {
    return this.#limit - this.#consumed;
  }

  /** From now on grants `size` bytes, in parts of `part` at most. What was granted stays so. */
  resize(size: number, part: number): void {
    this.#size = size;
    this.#part = part;
  }

  /** Counts bytes of a DATA frame. @throws ProtocolError when the peer had no credit for them */
  arrive(bytes: number): void {
    if (this.#received + bytes > this.#limit) {
      const over = this.#received + bytes - this.#limit;
      throw new ProtocolError(
        "ERR_CREDIT_EXCEEDED",
        `Cannot take DATA: ${over} bytes beyond credit`,
      );
    }
    this.#received += bytes;
  }

  /** Counts bytes that have left our memory. */
  consume(bytes: number): void {
    this.#consumed += bytes;
  }

  /**
   * Once there is as much to grant as the peer has left: half a window at a time while readers keep
   * up, so that CREDIT frames stay rare and the sender never stops for one. When unread bytes fill
   * most of the window it is less, or streams that stand still would stop all others. A window that
   * was resized is granted in smaller parts.
   */
  get isGrantDue(): boolean {
    const due = this.#consumed + this.#size - this.#limit;
    return due > 0 && due >= Math.min(this.#part, this.#limit - this.#received);
  }

  /** The fields of the CREDIT to send now. */
  grant(): { received: number; limit: number } {
    // Never back: what was granted when the window was larger is granted.
    this.#limit = Math.max(this.#limit, this.#consumed + this.#size);
    return { received: this.#received, limit: this.#limit };
  }
}
