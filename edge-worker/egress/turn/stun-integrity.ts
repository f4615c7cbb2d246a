import {
  type Attribute,
  StunAttribute,
  STUN_HEADER_LENGTH,
  type StunMessage,
} from "./stun-message.ts";

const HMAC_SHA1 = { name: "HMAC", hash: "SHA-1" } as const;
const HMAC_LENGTH = 20;
/** Type and length in front of a value. */
const ATTRIBUTE_HEADER = 4;
/** RFC 8489 section 14.7. */
const FINGERPRINT_XOR = 0x5354_554e;
const FINGERPRINT_LENGTH = ATTRIBUTE_HEADER + 4;

/** Makes a key of HMAC-SHA1 of the bytes that RFC 8489 section 9 calls the key. */
export function importIntegrityKey(key: Uint8Array<ArrayBuffer>): Promise<CryptoKey> {
  return crypto.subtle.importKey("raw", key, HMAC_SHA1, false, ["sign", "verify"]);
}

/** Adds MESSAGE-INTEGRITY (RFC 8489 section 14.5) to an encoded message. */
export async function withIntegrity(
  message: Uint8Array,
  key: CryptoKey,
): Promise<Uint8Array<ArrayBuffer>> {
  const covered = withLength(message, message.length + ATTRIBUTE_HEADER + HMAC_LENGTH);
  const mac = new Uint8Array(await crypto.subtle.sign(HMAC_SHA1.name, key, covered));
  return append(covered, { type: StunAttribute.MessageIntegrity, value: mac });
}

/** Whether an encoded message has a MESSAGE-INTEGRITY by this key. */
export async function hasIntegrity(
  bytes: Uint8Array,
  { integrityAt, attributes }: StunMessage,
  key: CryptoKey,
): Promise<boolean> {
  const mac = attributes.find(({ type }) => type === StunAttribute.MessageIntegrity)?.value;
  if (integrityAt === undefined || mac?.length !== HMAC_LENGTH) return false;
  const end = integrityAt + ATTRIBUTE_HEADER + HMAC_LENGTH;
  const covered = withLength(bytes.subarray(0, integrityAt), end);
  return crypto.subtle.verify(HMAC_SHA1.name, key, mac.slice(), covered);
}

/** Adds FINGERPRINT (RFC 8489 section 14.7) to an encoded message. */
export function withFingerprint(message: Uint8Array): Uint8Array<ArrayBuffer> {
  const covered = withLength(message, message.length + FINGERPRINT_LENGTH);
  const value = new Uint8Array(4);
  new DataView(value.buffer).setUint32(0, (crc32(covered) ^ FINGERPRINT_XOR) >>> 0);
  return append(covered, { type: StunAttribute.Fingerprint, value });
}

/** Whether the FINGERPRINT of an encoded message is right, and its last attribute; true when it has none. */
export function hasValidFingerprint(bytes: Uint8Array, { attributes }: StunMessage): boolean {
  const index = attributes.findIndex(({ type }) => type === StunAttribute.Fingerprint);
  if (index < 0) return true;
  const value = attributes[index]?.value;
  if (index !== attributes.length - 1 || value?.length !== 4) return false;
  const covered = bytes.subarray(0, bytes.length - FINGERPRINT_LENGTH);
  const { buffer, byteOffset } = value;
  const told = new DataView(buffer, byteOffset, 4).getUint32(0);
  return told === (crc32(covered) ^ FINGERPRINT_XOR) >>> 0;
}

/** A copy whose header says that the message is `total` bytes long. */
function withLength(message: Uint8Array, total: number): Uint8Array<ArrayBuffer> {
  const copy = message.slice();
  new DataView(copy.buffer).setUint16(2, total - STUN_HEADER_LENGTH);
  return copy;
}

function append(message: Uint8Array, { type, value }: Attribute): Uint8Array<ArrayBuffer> {
  const longer = new Uint8Array(message.length + ATTRIBUTE_HEADER + value.length);
  const view = new DataView(longer.buffer);
  longer.set(message);
  view.setUint16(message.length, type);
  view.setUint16(message.length + 2, value.length);
  longer.set(value, message.length + ATTRIBUTE_HEADER);
  return longer;
}

/** CRC-32 of ITU V.42, bit by bit: messages are short. */
function crc32(bytes: Uint8Array): number {
  let crc = 0xffff_ffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb8_8320 : 0);
  }
  return ~crc >>> 0;
}
