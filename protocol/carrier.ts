/**
 * A WebSocket as the multiplexer sees it: the only door between protocol/ and a platform.
 * There is no backpressure here on purpose, as workerd has none to offer: the carrier window
 * (PROTOCOL.md section 6.3) bounds what a carrier's queue can hold, on every platform alike.
 */
export interface Carrier {
  /**
   * Queues one binary message; `done` is called once its memory may be used again, which may be
   * before this returns. Never throws.
   */
  send(message: Uint8Array<ArrayBuffer>, done: () => void): void;
  /** Closes after what was sent; `closed` follows. Idempotent. */
  close(code: number, reason: string): void;
}

/** What a platform tells of its WebSocket. After `closed`, nothing more. */
export interface CarrierEvents {
  message(bytes: Uint8Array): void;
  closed(code: number, reason: string): void;
}
