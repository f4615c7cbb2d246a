import ipaddr from "ipaddr.js";
import { type Address, hostOfOctets } from "../../../protocol/address.ts";
import { ByteReader, ByteWriter } from "../../../protocol/bytes.ts";
import { ProtocolError } from "../../../protocol/errors.ts";
import { MAGIC_COOKIE } from "./stun-message.ts";

/** Address families of RFC 8489 section 14.1. */
export const StunFamily = { Ipv4: 0x01, Ipv6: 0x02 } as const;

/** Protocol numbers for REQUESTED-TRANSPORT (RFC 8656 section 18.7). */
export const StunTransport = { Tcp: 6, Udp: 17 } as const;

const utf8Encoder = new TextEncoder();
const utf8Decoder = new TextDecoder();

/**
 * The address form of RFC 8489 section 14.2, hidden from middleboxes by the cookie and, for IPv6,
 * the transaction id:
 *
 *   +---+--------+--------+------------------+
 *   | 0 | family | x-port | x-address        |
 *   |u8 |   u8   |  u16   | 4 or 16 octets   |
 *   +---+--------+--------+------------------+
 */
export function encodeXorAddress(address: Address, transactionId: Uint8Array): Uint8Array {
  const octets = Uint8Array.from(ipaddr.parse(address.host).toByteArray());
  const family = octets.length === 4 ? StunFamily.Ipv4 : StunFamily.Ipv6;
  const writer = new ByteWriter();
  writer
    .u8(0)
    .u8(family)
    .u16(address.port ^ (MAGIC_COOKIE >>> 16));
  return writer.bytes(masked(octets, transactionId)).take();
}

/** The inverse of encodeXorAddress(). @throws ProtocolError */
export function decodeXorAddress(value: Uint8Array, transactionId: Uint8Array): Address {
  const reader = new ByteReader(value);
  reader.u8();
  const family = reader.u8();
  const port = reader.u16() ^ (MAGIC_COOKIE >>> 16);
  if (family !== StunFamily.Ipv4 && family !== StunFamily.Ipv6) {
    throw new ProtocolError("ERR_ADDRESS", `Cannot decode address: family is ${family}`);
  }
  const octets = reader.bytes(family === StunFamily.Ipv4 ? 4 : 16);
  reader.end();
  return { ...hostOfOctets(masked(octets, transactionId)), port };
}

/** The number of an ERROR-CODE, such as 438 (RFC 8489 section 14.8); 0 for what is none. */
export function decodeErrorCode(value: Uint8Array | undefined): number {
  const [, , hundreds = 0, rest = 0] = value ?? [];
  return (hundreds & 0x07) * 100 + rest;
}

export function encodeText(text: string): Uint8Array {
  return utf8Encoder.encode(text);
}

export function decodeText(value: Uint8Array): string {
  return utf8Decoder.decode(value);
}

export function encodeU32(value: number): Uint8Array {
  return new ByteWriter().u32(value).take();
}

/** @throws ProtocolError */
export function decodeU32(value: Uint8Array): number {
  const reader = new ByteReader(value);
  const number = reader.u32();
  reader.end();
  return number;
}

/** One octet and three that are reserved, as several attributes of TURN have it. */
export function encodeOctet(value: number): Uint8Array {
  return Uint8Array.of(value, 0, 0, 0);
}

/** CHANNEL-NUMBER (RFC 8656 section 18.1). */
export function encodeChannelNumber(channel: number): Uint8Array {
  return new ByteWriter().u16(channel).u16(0).take();
}

function masked(octets: Uint8Array, transactionId: Uint8Array): Uint8Array {
  const mask = new ByteWriter().u32(MAGIC_COOKIE).bytes(transactionId).take();
  return octets.map((octet, index) => octet ^ (mask[index] ?? 0));
}
