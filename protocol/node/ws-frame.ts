import { CloseCode, MAX_MESSAGE } from "../wire.ts";

/** What a WebSocket frame is (RFC 6455 section 5.2). Those from Close on are control frames. */
export const Opcode = {
  Continuation: 0x0,
  Text: 0x1,
  Binary: 0x2,
  Close: 0x8,
  Ping: 0x9,
  Pong: 0xa,
} as const;
export type Opcode = (typeof Opcode)[keyof typeof Opcode];

/** Payload of a control frame at most (RFC 6455 section 5.5). */
export const MAX_CONTROL_PAYLOAD = 125;
const MASK_LENGTH = 4;

/** The peer broke RFC 6455, or our limits: its carrier is closed with `closeCode`. */
export class WebSocketError extends Error {
  override readonly name = "WebSocketError";
  readonly closeCode: number;

  constructor(closeCode: number, message: string) {
    super(message);
    this.closeCode = closeCode;
  }
}

/** A frame's header; its payload lies between `start` and `end` of what it was decoded from. */
export interface FrameHeader {
  readonly isFinal: boolean;
  readonly opcode: Opcode;
  /** The masking key where there is one. */
  readonly mask: Uint8Array | undefined;
  readonly start: number;
  readonly end: number;
}

/**
 * Decodes the header at `at`; undefined when bytes of it are still to come (RFC 6455 section 5.2):
 *
 *   +-+-+-+-+-------+-+-------------+-----------------------+----------------+
 *   |F|R|R|R| opcode|M| length (7)  | length, if 126 or 127 | masking key,   |
 *   |I|S|S|S|  (4)  |A|             |     u16 or u64        | if MASK is set |
 *   |N|V|V|V|       |S|             |                       |      u32       |
 *   | |1|2|3|       |K|             |                       |                |
 *   +-+-+-+-+-------+-+-------------+-----------------------+----------------+
 *
 * `isMasked` is what the peer has to do: a client masks, a server does not (section 5.1).
 *
 * @throws WebSocketError for what no later byte can mend
 */
export function decodeFrameHeader(
  bytes: Uint8Array,
  at: number,
  isMasked: boolean,
): FrameHeader | undefined {
  const [first, second] = [bytes[at], bytes[at + 1]];
  if (first === undefined || second === undefined) return undefined;
  if ((first & 0x70) !== 0) throw broken("a reserved bit is set");
  const isFinal = (first & 0x80) !== 0;
  const opcode = opcodeOf(first & 0x0f);
  if (((second & 0x80) !== 0) !== isMasked) throw broken("MASK is not as it has to be");
  const short = second & 0x7f;
  if (opcode >= Opcode.Close && (!isFinal || short > MAX_CONTROL_PAYLOAD)) {
    throw broken("a control frame is cut in pieces or too long");
  }
  const afterLength = at + 2 + (short === 127 ? 8 : short === 126 ? 2 : 0);
  const start = afterLength + (isMasked ? MASK_LENGTH : 0);
  if (afterLength > bytes.length) return undefined;
  const length = short < 126 ? short : decodeLength(bytes, at + 2, afterLength);
  if (start > bytes.length) return undefined;
  const mask = isMasked ? bytes.slice(afterLength, start) : undefined;
  return { isFinal, opcode, mask, start, end: start + length };
}

/**
 * Writes the header of a final frame so that it ends at `end`, and returns where it begins. With a
 * masking key it is a client's.
 */
export function encodeFrameHeader(
  bytes: Uint8Array,
  end: number,
  opcode: Opcode,
  length: number,
  mask: Uint8Array | undefined,
): number {
  const maskAt = end - (mask ? MASK_LENGTH : 0);
  const at = maskAt - (length > 0xffff ? 10 : length >= 126 ? 4 : 2);
  const maskBit = mask ? 0x80 : 0;
  bytes[at] = 0x80 | opcode;
  bytes[at + 1] = maskBit | (length > 0xffff ? 127 : Math.min(length, 126));
  // Big-endian, as many bytes as there are between the first two and the mask.
  let rest = length;
  for (let i = maskAt - 1; i >= at + 2; i--) {
    bytes[i] = rest & 0xff;
    rest = Math.floor(rest / 0x100);
  }
  if (mask) bytes.set(mask, maskAt);
  return at;
}

/** The peer broke RFC 6455. */
export function broken(what: string): WebSocketError {
  return new WebSocketError(CloseCode.ProtocolError, `Cannot take a WebSocket frame: ${what}`);
}

/** A message above our limit. */
export function tooLarge(): WebSocketError {
  const text = `Cannot take a WebSocket message of more than ${MAX_MESSAGE} bytes`;
  return new WebSocketError(CloseCode.TooLarge, text);
}

function opcodeOf(value: number): Opcode {
  switch (value) {
    case Opcode.Continuation:
    case Opcode.Binary:
    case Opcode.Close:
    case Opcode.Ping:
    case Opcode.Pong:
      return value;
    case Opcode.Text:
      throw new WebSocketError(CloseCode.Unsupported, "Binary messages only");
    default:
      throw broken(`its opcode is ${value}`);
  }
}

/** An extended length. One longer than it had to be is taken: nothing depends on it. */
function decodeLength(bytes: Uint8Array, from: number, to: number): number {
  let length = 0;
  for (let i = from; i < to; i++) {
    length = length * 0x100 + (bytes[i] ?? 0);
    if (length > MAX_MESSAGE) throw tooLarge();
  }
  return length;
}
