import { type Address, decodeAddress, encodeAddress } from "./address.ts";
import { ByteReader, type ByteWriter, encodeText } from "./bytes.ts";
import { type FailureReason, ProtocolError } from "./errors.ts";
import { decodeReason, encodeReason } from "./failure.ts";
import { decodeHello, encodeHello, type Hello } from "./hello.ts";
import {
  FrameType,
  HEADER_LENGTH,
  MAX_DATAGRAM,
  MAX_MESSAGE,
  MAX_PAYLOAD,
  MAX_RESUME_ENTRIES,
  MAX_TEXT,
  PING_LENGTH,
  SESSION_STREAM_ID,
} from "./wire.ts";

/** A lost carrier in RESUME, and how many frames the sender of RESUME has received on it. */
export interface ResumeEntry {
  readonly carrier: number;
  readonly received: number;
}

/** Parsed, not validated later: a Frame that exists is well-formed. Offsets count from the stream's start. */
export type Frame = Readonly<
  | { type: typeof FrameType.Hello; hello: Hello }
  | { type: typeof FrameType.Ping; stamp: Uint8Array }
  | { type: typeof FrameType.Pong; stamp: Uint8Array }
  | { type: typeof FrameType.GoAway; reason: number; drainMs: number; text: string }
  | { type: typeof FrameType.Resume; entries: readonly ResumeEntry[] }
  | { type: typeof FrameType.Ack; received: number; frames: number }
  | {
      type: typeof FrameType.Open;
      streamId: number;
      command: number;
      address: Address;
      early: Uint8Array;
    }
  | { type: typeof FrameType.Opened; streamId: number; bound: Address }
  | { type: typeof FrameType.Failed; streamId: number; reason: FailureReason; text: string }
  | { type: typeof FrameType.Data; streamId: number; bytes: Uint8Array }
  | { type: typeof FrameType.Fin; streamId: number; finalOffset: number }
  | { type: typeof FrameType.Reset; streamId: number; reason: FailureReason }
  | { type: typeof FrameType.Credit; streamId: number; received: number; limit: number }
  | { type: typeof FrameType.Datagram; streamId: number; address: Address; bytes: Uint8Array }
>;

/**
 * Whether a frame is of the session, not of the one carrier that it travels on: those are counted,
 * and sent again on another carrier if theirs is lost (PROTOCOL.md section 10).
 */
export function isSessionFrame({ type }: Frame): boolean {
  return type >= FrameType.Open;
}

/**
 * Appends one frame to a message (PROTOCOL.md section 3):
 *
 *   +------+--------+-----------+----------+
 *   | type | length | stream id | payload  |
 *   |  u8  |  u24   |    u32    | `length` |
 *   +------+--------+-----------+----------+
 */
export function appendFrame(writer: ByteWriter, frame: Frame): void {
  const start = writer.length;
  const streamId = "streamId" in frame ? frame.streamId : SESSION_STREAM_ID;
  writer.u32(0).u32(streamId);
  appendPayload(writer, frame);
  const length = writer.length - start - HEADER_LENGTH;
  if (length > MAX_PAYLOAD) throw new RangeError(`Cannot encode ${length} bytes as one frame`);
  writer.patchU32(start, frame.type * 0x100_0000 + length);
}

/** Yields the frames of one message. Byte fields are views into `message`, not copies. */
export function* decodeFrames(message: Uint8Array): Generator<Frame, void> {
  if (message.length > MAX_MESSAGE) {
    throw new ProtocolError(
      "ERR_MESSAGE_LENGTH",
      `Cannot take a message of ${message.length} bytes`,
    );
  }
  const view = new DataView(message.buffer, message.byteOffset, message.byteLength);
  for (let start = 0; start < message.length;) {
    const body = start + HEADER_LENGTH;
    if (body > message.length) throw cut(start);
    const word = view.getUint32(start);
    const length = word & 0xff_ffff;
    if (length > MAX_PAYLOAD) {
      throw new ProtocolError("ERR_FRAME_LENGTH", `Cannot take a payload of ${length} bytes`);
    }
    const end = body + length;
    if (end > message.length) throw cut(start);
    yield decodeFrame(word >>> 24, view.getUint32(start + 4), message.subarray(body, end));
    start = end;
  }
}

function cut(start: number): ProtocolError {
  return new ProtocolError(
    "ERR_FRAME_CUT",
    `Cannot decode frame at byte ${start}: the message ends`,
  );
}

function appendPayload(writer: ByteWriter, frame: Frame): void {
  switch (frame.type) {
    case FrameType.Hello:
      return encodeHello(writer, frame.hello);
    case FrameType.Ping:
    case FrameType.Pong:
      return void writer.bytes(frame.stamp);
    case FrameType.GoAway:
      writer.u8(frame.reason).u32(frame.drainMs).bytes(encodeText(frame.text, MAX_TEXT));
      return;
    case FrameType.Resume:
      for (const entry of frame.entries) {
        writer.u32(entry.carrier).u64(entry.received);
      }
      return;
    case FrameType.Ack:
      return void writer.u64(frame.received).u64(frame.frames);
    case FrameType.Open:
      writer.u8(frame.command);
      encodeAddress(writer, frame.address);
      return void writer.bytes(frame.early);
    case FrameType.Opened:
      return encodeAddress(writer, frame.bound);
    case FrameType.Failed:
      writer.u8(encodeReason(frame.reason)).bytes(encodeText(frame.text, MAX_TEXT));
      return;
    case FrameType.Data:
      return void writer.bytes(frame.bytes);
    case FrameType.Fin:
      return void writer.u64(frame.finalOffset);
    case FrameType.Reset:
      return void writer.u8(encodeReason(frame.reason));
    case FrameType.Credit:
      return void writer.u64(frame.received).u64(frame.limit);
    case FrameType.Datagram:
      encodeAddress(writer, frame.address);
      return void writer.bytes(frame.bytes);
    default:
      frame satisfies never;
  }
}

function decodeFrame(type: number, streamId: number, payload: Uint8Array): Frame {
  // The hot frame first, and without a reader: its payload is the stream's bytes.
  if (type === FrameType.Data) return { type, streamId: ofStream(streamId), bytes: payload };
  const reader = new ByteReader(payload);
  switch (type) {
    case FrameType.Hello:
      ofSession(streamId);
      return { type, hello: decodeHello(payload) };
    case FrameType.Ping:
    case FrameType.Pong:
      ofSession(streamId);
      return { type, stamp: ended(reader.bytes(PING_LENGTH), reader) };
    case FrameType.GoAway:
      ofSession(streamId);
      return { type, reason: reader.u8(), drainMs: reader.u32(), text: textOf(reader) };
    case FrameType.Resume:
      ofSession(streamId);
      return { type, entries: decodeResume(reader) };
    case FrameType.Ack:
      ofSession(streamId);
      return { type, received: reader.u64(), frames: ended(reader.u64(), reader) };
    case FrameType.Credit:
      return { type, streamId, received: reader.u64(), limit: ended(reader.u64(), reader) };
    default:
      return decodeStreamFrame(type, ofStream(streamId), reader);
  }
}

function decodeStreamFrame(type: number, streamId: number, reader: ByteReader): Frame {
  switch (type) {
    case FrameType.Open:
      return {
        type,
        streamId,
        command: reader.u8(),
        address: decodeAddress(reader),
        early: reader.rest(),
      };
    case FrameType.Opened:
      return { type, streamId, bound: ended(decodeAddress(reader), reader) };
    case FrameType.Failed:
      return { type, streamId, reason: decodeReason(reader.u8()), text: textOf(reader) };
    case FrameType.Fin:
      return { type, streamId, finalOffset: ended(reader.u64(), reader) };
    case FrameType.Reset:
      return { type, streamId, reason: decodeReason(ended(reader.u8(), reader)) };
    case FrameType.Datagram:
      return { type, streamId, address: decodeAddress(reader), bytes: datagramOf(reader) };
    default:
      throw new ProtocolError("ERR_FRAME_TYPE", `Cannot decode frame: type is ${type}`);
  }
}

function decodeResume(reader: ByteReader): ResumeEntry[] {
  const entries: ResumeEntry[] = [];
  while (reader.remaining > 0) {
    if (entries.length === MAX_RESUME_ENTRIES) {
      throw new ProtocolError("ERR_FRAME_FIELD", "Cannot decode RESUME: too many carriers");
    }
    entries.push({ carrier: reader.u32(), received: reader.u64() });
  }
  return entries;
}

function datagramOf(reader: ByteReader): Uint8Array {
  if (reader.remaining <= MAX_DATAGRAM) return reader.rest();
  throw new ProtocolError(
    "ERR_FRAME_LENGTH",
    `Cannot take a datagram of ${reader.remaining} bytes`,
  );
}

function textOf(reader: ByteReader): string {
  if (reader.remaining <= MAX_TEXT) return reader.text(reader.remaining);
  throw new ProtocolError("ERR_FRAME_LENGTH", `Cannot take a text of ${reader.remaining} bytes`);
}

/** `value`, once nothing is left behind it. */
function ended<Value>(value: Value, reader: ByteReader): Value {
  reader.end();
  return value;
}

function ofStream(streamId: number): number {
  if (streamId !== SESSION_STREAM_ID) return streamId;
  throw new ProtocolError("ERR_STREAM_ID", "Cannot take a stream's frame: its stream id is 0");
}

function ofSession(streamId: number): void {
  if (streamId === SESSION_STREAM_ID) return;
  throw new ProtocolError(
    "ERR_STREAM_ID",
    `Cannot take a session's frame: its stream id is ${streamId}`,
  );
}
