import { ByteWriter } from "../bytes.ts";
import { CloseCode, MAX_MESSAGE } from "../wire.ts";
import { broken, decodeFrameHeader, type FrameHeader, Opcode, tooLarge } from "./ws-frame.ts";
import { applyMask } from "./ws-mask.ts";

/** What a receiver finds; `bytes` are valid until the call returns. */
export interface ReceiverEvents {
  message(bytes: Uint8Array): void;
  ping(bytes: Uint8Array): void;
  /** The peer's Close frame: nothing after it is looked at. */
  closeReceived(code: number, reason: string): void;
}

/** RFC 6455 section 7.1.5: what a Close frame without a code amounts to. */
export const NO_CODE = 1005;

const utf8Decoder = new TextDecoder("utf-8", { fatal: true });

/**
 * Takes the frames of RFC 6455 out of the bytes of a socket, in place: a payload is unmasked where
 * it lies and handed on as a view. Only a message that its sender has cut in pieces is copied.
 */
export class WsReceiver {
  readonly #isServer: boolean;
  readonly #events: ReceiverEvents;
  /** The pieces of a message so far; undefined between messages. */
  #pieces: ByteWriter | undefined;
  #isClosed = false;

  /** A server takes masked frames only, a client takes only those that are not. */
  constructor(isServer: boolean, events: ReceiverEvents) {
    this.#isServer = isServer;
    this.#events = events;
  }

  /**
   * Takes all frames that `bytes` has as a whole, and returns how far they go. What is behind is to
   * come again, with more.
   *
   * @throws WebSocketError for what breaks RFC 6455 or is longer than MAX_MESSAGE
   */
  take(bytes: Uint8Array): number {
    let at = 0;
    while (!this.#isClosed) {
      const header = decodeFrameHeader(bytes, at, this.#isServer);
      if (!header) return at;
      this.#check(header);
      if (header.end > bytes.length) return at;
      const payload = bytes.subarray(header.start, header.end);
      // A client may mask with zeros, as ours does under TLS: then there is nothing to undo.
      if (header.mask?.some((byte) => byte !== 0)) applyMask(payload, header.mask);
      this.#handle(header, payload);
      at = header.end;
    }
    return bytes.length;
  }

  /** What can be told before the payload is there. */
  #check({ opcode, start, end }: FrameHeader): void {
    if (opcode >= Opcode.Close) return;
    if (opcode === Opcode.Continuation && !this.#pieces) throw broken("there is nothing to go on");
    if (opcode === Opcode.Binary && this.#pieces) throw broken("the message before is not whole");
    if ((this.#pieces?.length ?? 0) + end - start > MAX_MESSAGE) throw tooLarge();
  }

  #handle({ opcode, isFinal }: FrameHeader, payload: Uint8Array): void {
    switch (opcode) {
      case Opcode.Close:
        return this.#handleClose(payload);
      case Opcode.Ping:
        return this.#events.ping(payload);
      case Opcode.Pong:
        return;
      default:
    }
    if (isFinal && !this.#pieces) return this.#events.message(payload);
    this.#pieces ??= new ByteWriter();
    this.#pieces.bytes(payload);
    if (!isFinal) return;
    const message = this.#pieces.take();
    this.#pieces = undefined;
    this.#events.message(message);
  }

  #handleClose(payload: Uint8Array): void {
    if (payload.length === 1) throw broken("half a close code");
    const [high, low] = payload;
    const hasCode = high !== undefined && low !== undefined;
    const code = hasCode ? high * 0x100 + low : NO_CODE;
    if (hasCode && !isCloseCode(code)) throw broken(`its close code is ${code}`);
    const reason = decodeReason(payload.subarray(2));
    this.#isClosed = true;
    this.#events.closeReceived(code, reason);
  }
}

/** Codes that may be in a Close frame (RFC 6455 section 7.4, and IANA's registry below 3000). */
function isCloseCode(code: number): boolean {
  if (code >= 3000 && code < 5000) return true;
  return code >= CloseCode.Normal && code <= 1014 && ![1004, NO_CODE, 1006].includes(code);
}

function decodeReason(bytes: Uint8Array): string {
  try {
    return utf8Decoder.decode(bytes);
  } catch {
    throw broken("its close reason is not UTF-8");
  }
}
