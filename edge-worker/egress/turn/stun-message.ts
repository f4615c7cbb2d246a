import { ByteReader, ByteWriter } from "../../../protocol/bytes.ts";
import { ProtocolError } from "../../../protocol/errors.ts";

/** RFC 8489 section 5. */
export const STUN_HEADER_LENGTH = 20;
export const MAGIC_COOKIE = 0x2112_a442;
export const TRANSACTION_ID_LENGTH = 12;

/** RFC 8489 section 18.2 and RFC 8656 section 17; the last two are of RFC 6062 section 6.1. */
export const StunMethod = {
  Binding: 0x001,
  Allocate: 0x003,
  Refresh: 0x004,
  Send: 0x006,
  Data: 0x007,
  CreatePermission: 0x008,
  ChannelBind: 0x009,
  ConnectionBind: 0x00b,
  ConnectionAttempt: 0x00c,
} as const;

/** RFC 8489 section 5: the bits C1 and C0, where they stand in the type. */
export const StunClass = {
  Request: 0x0000,
  Indication: 0x0010,
  Success: 0x0100,
  Error: 0x0110,
} as const;
const CLASS_MASK = 0x0110;

/** RFC 8489 section 18.3, RFC 8656 section 18, RFC 6062 section 6.2. */
export const StunAttribute = {
  Username: 0x0006,
  MessageIntegrity: 0x0008,
  ErrorCode: 0x0009,
  ChannelNumber: 0x000c,
  Lifetime: 0x000d,
  XorPeerAddress: 0x0012,
  Data: 0x0013,
  Realm: 0x0014,
  Nonce: 0x0015,
  XorRelayedAddress: 0x0016,
  RequestedAddressFamily: 0x0017,
  RequestedTransport: 0x0019,
  XorMappedAddress: 0x0020,
  ConnectionId: 0x002a,
  Fingerprint: 0x8028,
} as const;

export interface Attribute {
  readonly type: number;
  readonly value: Uint8Array;
}

export interface StunMessage {
  readonly class: number;
  readonly method: number;
  readonly transactionId: Uint8Array;
  /** What follows MESSAGE-INTEGRITY is left out, but for FINGERPRINT (RFC 8489 section 14.5). */
  readonly attributes: readonly Attribute[];
  /** Where the attribute MESSAGE-INTEGRITY begins; undefined when there is none. */
  readonly integrityAt: number | undefined;
}

/**
 * RFC 8489 section 5:
 *
 *   +----+-------------+--------+--------------+----------------+   each attribute: type u16,
 *   | 00 | type 14 bit | length | magic cookie | transaction id |   length u16, value, padding
 *   +----+-------------+ u16    | u32          | 12 bytes       |   to a multiple of 4
 *                      +--------+--------------+----------------+
 */
export function encodeStun(
  message: Pick<StunMessage, "class" | "method" | "transactionId" | "attributes">,
): Uint8Array<ArrayBuffer> {
  const attributes = new ByteWriter();
  for (const { type, value } of message.attributes) {
    attributes.u16(type).u16(value.length).bytes(value).bytes(paddingOf(value.length));
  }
  const body = attributes.take();
  const writer = new ByteWriter();
  writer.u16(typeOf(message.class, message.method)).u16(body.length).u32(MAGIC_COOKIE);
  return writer.bytes(message.transactionId).bytes(body).take();
}

/** The inverse of encodeStun(). Values are views into `bytes`. @throws ProtocolError */
export function decodeStun(bytes: Uint8Array): StunMessage {
  const reader = new ByteReader(bytes);
  const type = reader.u16();
  const length = reader.u16();
  if (type >= 0x4000) throw malformed("its first bits are not 0");
  if (reader.u32() !== MAGIC_COOKIE) throw malformed("the magic cookie is another");
  const transactionId = reader.bytes(TRANSACTION_ID_LENGTH);
  if (length !== reader.remaining || length % 4 !== 0) throw malformed("its length is wrong");
  const attributes: Attribute[] = [];
  let integrityAt: number | undefined;
  while (reader.remaining > 0) {
    const at = bytes.length - reader.remaining;
    const attribute = readAttribute(reader);
    const isLate = integrityAt !== undefined && attribute.type !== StunAttribute.Fingerprint;
    if (attribute.type === StunAttribute.MessageIntegrity) integrityAt ??= at;
    if (!isLate) attributes.push(attribute);
  }
  const method = (type & 0x000f) | ((type & 0x00e0) >> 1) | ((type & 0x3e00) >> 2);
  return { class: type & CLASS_MASK, method, transactionId, attributes, integrityAt };
}

/** The first attribute of a type, which is the one that counts (RFC 8489 section 14). */
export function attributeOf(
  { attributes }: Pick<StunMessage, "attributes">,
  type: number,
): Uint8Array | undefined {
  return attributes.find((attribute) => attribute.type === type)?.value;
}

function readAttribute(reader: ByteReader): Attribute {
  const type = reader.u16();
  const value = reader.bytes(reader.u16());
  reader.bytes(paddingOf(value.length).length);
  return { type, value };
}

function typeOf(messageClass: number, method: number): number {
  return messageClass | (method & 0x000f) | ((method & 0x0070) << 1) | ((method & 0x0f80) << 2);
}

function paddingOf(length: number): Uint8Array {
  return new Uint8Array((4 - (length % 4)) % 4);
}

function malformed(why: string): ProtocolError {
  return new ProtocolError("ERR_FRAME_FIELD", `Cannot decode a STUN message: ${why}`);
}
