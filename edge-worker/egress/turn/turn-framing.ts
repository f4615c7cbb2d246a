import { ByteWriter } from "../../../protocol/bytes.ts";
import { ProtocolError } from "../../../protocol/errors.ts";
import { STUN_HEADER_LENGTH } from "./stun-message.ts";

/** RFC 8656 section 12: the numbers that a client may bind. */
export const FIRST_CHANNEL = 0x4000;
export const LAST_CHANNEL = 0x4fff;
const CHANNEL_HEADER_LENGTH = 4;

/** One message off a TURN connection. The bytes are not overwritten. */
export type TurnFrame =
  | { readonly kind: "stun"; readonly bytes: Uint8Array }
  | { readonly kind: "channel"; readonly channel: number; readonly bytes: Uint8Array };

/**
 * ChannelData over TCP and TLS, where it is padded (RFC 8656 section 12.5):
 *
 *   +----------------+--------+------+---------+
 *   | channel number | length | data | padding |
 *   |      u16       |  u16   |      | to 4    |
 *   +----------------+--------+------+---------+
 */
export function encodeChannelData(channel: number, bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const padding = new Uint8Array(padded(bytes.length) - bytes.length);
  return new ByteWriter().u16(channel).u16(bytes.length).bytes(bytes).bytes(padding).take();
}

/** Takes a TURN connection's bytes apart, however they are cut. Holds one message at most. */
export class TurnDeframer {
  #rest = new Uint8Array();

  /** What has come behind the last frame that next() gave. */
  get rest(): Uint8Array {
    return this.#rest;
  }

  push(chunk: Uint8Array): void {
    // Fresh memory for each chunk: frames are views into it, and stay as they are.
    const bytes = new Uint8Array(this.#rest.length + chunk.length);
    bytes.set(this.#rest);
    bytes.set(chunk, this.#rest.length);
    this.#rest = bytes;
  }

  /** The next whole message; undefined until more has come. @throws ProtocolError for what is neither */
  next(): TurnFrame | undefined {
    const [first = 0] = this.#rest;
    if (this.#rest.length < CHANNEL_HEADER_LENGTH) return undefined;
    const view = new DataView(this.#rest.buffer, this.#rest.byteOffset, this.#rest.length);
    const length = view.getUint16(2);
    // RFC 8489 section 5 and RFC 8656 section 12: the first two bits tell the two apart.
    if (first < 0x40) {
      const bytes = this.#take(STUN_HEADER_LENGTH + length);
      return bytes && { kind: "stun", bytes };
    }
    if (first > LAST_CHANNEL >> 8) {
      throw new ProtocolError("ERR_FRAME_TYPE", `Cannot decode TURN: the first byte is ${first}`);
    }
    const channel = view.getUint16(0);
    const frame = this.#take(CHANNEL_HEADER_LENGTH + padded(length));
    if (!frame) return undefined;
    const bytes = frame.subarray(CHANNEL_HEADER_LENGTH, CHANNEL_HEADER_LENGTH + length);
    return { kind: "channel", channel, bytes };
  }

  #take(length: number): Uint8Array | undefined {
    if (this.#rest.length < length) return undefined;
    const frame = this.#rest.subarray(0, length);
    this.#rest = this.#rest.subarray(length);
    return frame;
  }
}

function padded(length: number): number {
  return Math.ceil(length / 4) * 4;
}
