import { ProtocolError } from "./errors.ts";
import { MAX_OFFSET } from "./wire.ts";

const utf8Encoder = new TextEncoder();
// A byte order mark is a character like any other here: text in equals text out.
const utf8Decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Reads big-endian fields off one frame's payload; running past its end is a ProtocolError. */
export class ByteReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get remaining(): number {
    return this.#bytes.length - this.#at;
  }

  u8(): number {
    return this.#view.getUint8(this.#advance(1));
  }

  u16(): number {
    return this.#view.getUint16(this.#advance(2));
  }

  u32(): number {
    return this.#view.getUint32(this.#advance(4));
  }

  u64(): number {
    const at = this.#advance(8);
    const value = this.#view.getUint32(at) * 0x1_0000_0000 + this.#view.getUint32(at + 4);
    if (value <= MAX_OFFSET) return value;
    throw new ProtocolError("ERR_FRAME_FIELD", `Cannot decode a number above ${MAX_OFFSET}`);
  }

  /** A view of the next `length` bytes, not a copy. */
  bytes(length: number): Uint8Array {
    const at = this.#advance(length);
    return this.#bytes.subarray(at, at + length);
  }

  text(length: number): string {
    try {
      return utf8Decoder.decode(this.bytes(length));
    } catch (cause) {
      if (cause instanceof ProtocolError) throw cause;
      throw new ProtocolError("ERR_FRAME_FIELD", "Cannot decode text: not UTF-8", { cause });
    }
  }

  rest(): Uint8Array {
    return this.bytes(this.remaining);
  }

  /** Ends a payload that has no variable tail. */
  end(): void {
    if (this.remaining === 0) return;
    throw new ProtocolError(
      "ERR_FRAME_LENGTH",
      `Cannot decode frame: ${this.remaining} bytes over`,
    );
  }

  #advance(length: number): number {
    if (length > this.remaining) {
      throw new ProtocolError(
        "ERR_FRAME_LENGTH",
        `Cannot read ${length} bytes: ${this.remaining} left`,
      );
    }
    const at = this.#at;
    this.#at += length;
    return at;
  }
}

/** Writes big-endian fields into a buffer that grows when it must; `take()` gives what was written. */
export class ByteWriter {
  readonly #headRoom: number;
  #bytes: Uint8Array<ArrayBuffer>;
  #view: DataView;
  /** Where in #bytes the next byte goes. */
  #at: number;

  /**
   * Begins with `memory`, which is the writer's until somebody has done with take(), and leaves
   * `headRoom` bytes free in front of what it writes.
   */
  constructor(memory: ArrayBuffer = new ArrayBuffer(64), headRoom = 0) {
    this.#headRoom = headRoom;
    this.#at = headRoom;
    this.#bytes = new Uint8Array(memory);
    this.#view = new DataView(memory);
  }

  get length(): number {
    return this.#at - this.#headRoom;
  }

  // In each of these #grow comes first, on a line of its own: it may replace the buffer, and
  // `this.#view.setUint8(this.#grow(1), ...)` would look at the old one.

  u8(value: number): this {
    const at = this.#grow(1);
    this.#view.setUint8(at, value);
    return this;
  }

  u16(value: number): this {
    const at = this.#grow(2);
    this.#view.setUint16(at, value);
    return this;
  }

  u32(value: number): this {
    const at = this.#grow(4);
    this.#view.setUint32(at, value);
    return this;
  }

  u64(value: number): this {
    const at = this.#grow(8);
    this.#view.setUint32(at, Math.floor(value / 0x1_0000_0000));
    this.#view.setUint32(at + 4, value % 0x1_0000_0000);
    return this;
  }

  bytes(value: Uint8Array): this {
    const at = this.#grow(value.length);
    this.#bytes.set(value, at);
    return this;
  }

  /** Overwrites a u32 written earlier, for a length that is known only afterwards. */
  patchU32(at: number, value: number): void {
    this.#view.setUint32(this.#headRoom + at, value);
  }

  /** The bytes written so far; the writer must not be used afterwards. */
  take(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(this.#headRoom, this.#at);
  }

  #grow(by: number): number {
    const at = this.#at;
    const needed = at + by;
    if (needed > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(needed, this.#bytes.length * 2));
      larger.set(this.#bytes);
      this.#bytes = larger;
      this.#view = new DataView(larger.buffer);
    }
    this.#at = needed;
    return at;
  }
}

/** UTF-8 of `text`, cut at a character so that it fits `limit` bytes. */
export function encodeText(text: string, limit: number): Uint8Array {
  const bytes = new Uint8Array(limit);
  return bytes.subarray(0, utf8Encoder.encodeInto(text, bytes).written);
}
