/**
 * Bytes in front of a message that are its carrier's as well: the longest header of a WebSocket
 * frame (RFC 6455 section 5.2) can be put there, and both be sent as one.
 */
export const HEAD_ROOM = 14;

/**
 * A WebSocket as the multiplexer sees it: the only door between protocol/ and a platform.
 * There is no backpressure here on purpose, as workerd has none to offer: the carrier window
 * (PROTOCOL.md section 6.3) bounds what a carrier's queue can hold, on every platform alike.
 */
export interface Carrier {
  /**
   * Queues one binary message. Its memory and HEAD_ROOM in front of it are the carrier's, which may
   * mask it where it lies, until it calls `done`: maybe before this returns. Never throws.
   */
  send(message: Uint8Array<ArrayBuffer>, done: () => void): void;
  /**
   * Whether it leaves the message's own bytes as they are, so that they can be sent again from where
   * they lie. Absent: no.
   */
  readonly leavesBytes?: boolean;
  /** Closes after what was sent; `closed` follows. Idempotent. */
  close(code: number, reason: string): void;
}

/** What a platform tells of its WebSocket. After `closed`, nothing more. */
export interface CarrierEvents {
  /** Valid until it returns: the memory may be used for the next message. */
  message(bytes: Uint8Array): void;
  closed(code: number, reason: string): void;
}
